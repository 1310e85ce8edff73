"""Writing letters, and sending those that are due."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from portal.access.models import User
from portal.letters.models import FRESH_FOR, Letter
from portal.lib import clock

logger = logging.getLogger(__name__)
# How long after each attempt the next one is made; after the last there is none.
RETRIES = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 480))
BATCH = 100
KEPT_FOR = timedelta(days=90)


def write_letters(*, to: Iterable[User], key: str, subject: str, text: str) -> int:
    """Write one letter to each of some people, in the caller's transaction.

    The same ``key`` reaches each of them once, however often it is written. Who has no address or
    whose account is closed gets none. Returns how many people are written to.
    """
    moment = clock.database_now()
    people = {user.pk: user for user in to if user.email and user.is_active}
    letters = [
        Letter(
            user=user,
            key=f"{key}:{user.pk}"[:200],
            subject=one_line(subject),
            text=text,
            written_at=moment,
            due_at=moment,
        )
        for user in people.values()
    ]
    Letter.objects.bulk_create(letters, ignore_conflicts=True)
    return len(letters)


def one_line(text: str) -> str:
    """A subject: one line without anything that does not print, so that it starts no header."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())[:150]


def send_due(*, now: datetime) -> int:
    """Send what is due, each letter at least once; returns how many went out.

    Any number of workers may do this at once: each letter is claimed by a conditional update. Must
    not be called in a transaction: what is sent cannot be taken back.
    """
    if not settings.MAIL_IS_SENT:
        _say_that_nothing_is_sent()
        return 0
    due = list(Letter.objects.due(clock.database_now()).select_related("user")[:BATCH])
    connection = _open() if due else None
    if connection is None:
        return 0
    try:
        return sum(_send(letter, connection) for letter in due)
    finally:
        connection.close()


def forget_old_letters(*, now: datetime) -> int:
    """Delete letters that nobody will ask for any more; returns how many."""
    old = clock.database_now() - KEPT_FOR
    return Letter.objects.filter(written_at__lt=old).delete()[0]


def _open() -> BaseEmailBackend | None:
    """A connection to the mail server; where there is none, no letter loses an attempt."""
    connection: BaseEmailBackend = get_connection()
    try:
        connection.open()
    except OSError as error:  # SMTPException is one as well
        logger.warning("the mail server cannot be reached (%s); trying again", _name(error))
        return None
    return connection


def _send(letter: Letter, connection: BaseEmailBackend) -> bool:
    if not _claim(letter):
        return False
    row = Letter.objects.filter(pk=letter.pk)
    try:
        _message(letter, connection).send()
    except Exception as error:  # of a mail server, or of an address that somebody made up
        logger.warning("letter %s could not be sent: %s", letter.pk, _name(error))
        row.update(trouble=_name(error))
        if letter.attempts + 1 > len(RETRIES):
            row.update(given_up_at=clock.database_now())
            logger.error("letter %s is given up after %s attempts", letter.pk, letter.attempts + 1)
        return False
    row.update(sent_at=clock.database_now(), trouble="")
    return True


def _claim(letter: Letter) -> bool:
    """One worker takes it. If it dies on the way, the letter is due again after a while."""
    moment = clock.database_now()
    wait = RETRIES[min(letter.attempts, len(RETRIES) - 1)]
    mine = Letter.objects.due(moment).filter(pk=letter.pk, attempts=letter.attempts)
    return mine.update(attempts=letter.attempts + 1, due_at=moment + wait) == 1


def _message(letter: Letter, connection: BaseEmailBackend) -> EmailMessage:
    return EmailMessage(
        subject=letter.subject,
        body=letter.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[letter.user.email],
        connection=connection,
        headers={"Auto-Submitted": "auto-generated"},
    )


def _name(error: Exception) -> str:
    """What kind of trouble: what mail servers say may hold addresses and passwords."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


@cache
def _say_that_nothing_is_sent() -> None:
    """Once per process."""
    logger.info(
        "EMAIL_URL is not set: letters are kept and not sent; those of the last %s days go out "
        "when it is",
        FRESH_FOR.days,
    )
