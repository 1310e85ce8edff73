"""Letters: written with what they tell about, sent once, tried again, given up in the end."""

import io
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_django.fixtures import Settings

from portal.access.models import User
from portal.lib import clock
from portal.notifications import services
from portal.notifications.models import Letter
from tests.support import concurrently
from tests.support.mail_server import Inbox, mail_server
from tests.support.ports import free_port


@pytest.fixture
def inbox(settings: Settings) -> Iterator[Inbox]:
    """A mail server that the product is set up to use."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.MAIL_IS_SENT = "127.0.0.1", True
    with mail_server() as (inbox, port):
        settings.EMAIL_PORT = port
        yield inbox


@pytest.fixture
def erin(db: None) -> User:
    return User.objects.create(username="erin", email="erin@example.com")


def write(*people: User, key: str = "k", subject: str = "Look", text: str = "At this.\n") -> Letter:
    services.notify(to=people, key=key, subject=subject, text=text)
    return Letter.objects.order_by("-pk")[0]


def send() -> int:
    return services.send_due()


def make_due() -> None:
    Letter.objects.update(retry_at=None, leased_until=None)


@pytest.mark.django_db
def test_a_letter__arrives_once_as_plain_text(inbox: Inbox, erin: User) -> None:
    write(erin, text="Zwölf Vögel\n")
    assert (send(), send()) == (1, 0)
    (letter,) = inbox.letters
    assert (letter["Subject"], letter["To"]) == ("Look", "erin@example.com")
    assert letter["From"] == "aviary@localhost"
    assert letter.get_content_type() == "text/plain"
    assert "Zwölf" in bytes(letter.get_payload(decode=True)).decode()


@pytest.mark.django_db
def test_the_same_told_twice__is_one_letter(inbox: Inbox, erin: User) -> None:
    write(erin)
    write(erin, subject="Again")
    assert send() == 1


@pytest.mark.django_db
def test_who_has_no_address_or_no_account__is_left_out(inbox: Inbox, erin: User) -> None:
    nobody = User.objects.create(username="frank")
    gone = User.objects.create(username="gina", email="gina@example.com", is_active=False)
    assert services.notify(to=[nobody, gone], key="k", subject="s", text="t") == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "subject", ["Look\nBcc: eve@example.com", "Look\r\n\r\nBuy", "Look\0\x1b["]
)
def test_a_subject__cannot_start_a_header(inbox: Inbox, erin: User, subject: str) -> None:
    write(erin, subject=subject)
    assert send() == 1
    (letter,) = inbox.letters
    assert letter["Bcc"] is None
    assert str(letter["Subject"]).startswith("Look ")
    assert str(letter.get_payload()).strip() == "At this."


@pytest.mark.django_db
def test_an_address_with_a_line_break__is_refused_and_given_up(inbox: Inbox, erin: User) -> None:
    User.objects.filter(pk=erin.pk).update(email="erin@example.com\nBcc: eve@example.com")
    erin.refresh_from_db()
    letter = write(erin)
    for _ in range(len(services.RETRIES) + 3):
        make_due()
        send()
    letter.refresh_from_db()
    assert (letter.sent_at, inbox.letters) == (None, [])
    assert letter.given_up_at


@pytest.mark.django_db
def test_a_mailbox_that_is_refused__is_tried_again_and_given_up(
    inbox: Inbox, erin: User, caplog: pytest.LogCaptureFixture
) -> None:
    inbox.refused = {"erin@example.com"}
    letter = write(erin)
    assert send() == 1
    letter.refresh_from_db()
    assert letter.retry_at
    assert letter.retry_at > clock.database_now()
    assert send() == 0  # not due yet
    for _ in range(10):
        make_due()
        send()
    letter.refresh_from_db()
    assert letter.failures == len(services.RETRIES) + 1
    assert letter.given_up_at
    assert letter.problem == "SMTPRecipientsRefused"
    assert "given up after 6 attempts" in caplog.text
    out = io.StringIO()
    call_command("letters", stdout=out)
    assert out.getvalue().startswith("waiting: 0, given up: 1\n")
    assert "given up to erin, 6 attempts, SMTPRecipientsRefused: Look" in out.getvalue()


@pytest.mark.django_db
def test_one_bad_mailbox__does_not_hold_up_the_others(inbox: Inbox, erin: User) -> None:
    frank = User.objects.create(username="frank", email="frank@example.com")
    inbox.refused = {"erin@example.com"}
    write(erin, frank)
    assert send() == 2
    assert [letter["To"] for letter in inbox.letters] == ["frank@example.com"]


@pytest.mark.django_db
def test_a_mail_server_that_is_away__costs_no_attempt_and_no_secret(
    inbox: Inbox, erin: User, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    up, settings.EMAIL_PORT = settings.EMAIL_PORT, free_port()
    settings.EMAIL_HOST_PASSWORD = "not-for-logs"
    letter = write(erin)
    assert send() == 0
    letter.refresh_from_db()
    assert letter.failures == 0
    assert "cannot be reached (ConnectionRefusedError)" in caplog.text
    assert "not-for-logs" not in caplog.text
    settings.EMAIL_PORT, settings.EMAIL_HOST_PASSWORD = up, ""
    assert send() == 1


@pytest.mark.django_db
def test_without_a_mail_server__letters_are_kept_and_one_line_says_so(
    erin: User, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    services._say_that_nothing_is_sent.cache_clear()
    letter = write(erin)
    with caplog.at_level(logging.INFO):
        assert [send() for _ in range(3)] == [0, 0, 0]
    assert caplog.text.count("EMAIL_URL is not set") == 1
    letter.refresh_from_db()
    assert (letter.failures, letter.sent_at) == (0, None)


@pytest.mark.django_db
def test_letters_of_long_ago__are_not_sent_when_mail_is_set_up_at_last(
    inbox: Inbox, erin: User
) -> None:
    write(erin)
    Letter.objects.update(written_at=clock.now() - timedelta(days=4))
    assert send() == 0
    Letter.objects.update(written_at=clock.now() - timedelta(days=100))
    assert services.forget_old_letters() == 1


@pytest.mark.django_db(transaction=True)
def test_what_did_not_happen__is_told_to_nobody(inbox: Inbox, erin: User) -> None:
    with transaction.atomic():
        write(erin)
        transaction.set_rollback(True)
    assert (Letter.objects.count(), send()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once__send_each_letter_once(inbox: Inbox, erin: User) -> None:
    for number in range(10):
        write(erin, key=str(number), subject=f"Letter {number}")
    sent = concurrently.run(*[send] * 4)
    assert sum(one for one in sent if isinstance(one, int)) == 10, sent
    assert len({str(letter["Subject"]) for letter in inbox.letters}) == 10
    assert len(inbox.letters) == 10
