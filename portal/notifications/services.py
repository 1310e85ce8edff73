import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import QuerySet

from portal.access.models import User
from portal.lib import clock
from portal.notifications.models import FRESH_FOR, Letter
from portal.runs.runner import Runner

logger = logging.getLogger(__name__)
# How long after each attempt the next one is made; the last one is final.
RETRIES = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 480))
BATCH = 100
KEPT_FOR = timedelta(days=90)


def notify(*, to: Iterable[User], key: str, subject: str, text: str) -> int:
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


def send_due() -> int:
    """Send what is due, each letter at least once; returns for how many it was tried.

    Must not be called in a transaction: what is sent cannot be taken back.
    """
    if not settings.MAIL_IS_SENT:
        _say_that_nothing_is_sent()
        return 0
    runner = LetterRunner()
    try:
        return runner.look()
    finally:
        runner.connection.close()


def forget_old_letters() -> int:
    """Delete letters that nobody will ask for any more; returns how many."""
    return Letter.objects.filter(written_at__lt=clock.database_now() - KEPT_FOR).delete()[0]


class LetterRunner(Runner[Letter]):
    delays = RETRIES

    def __init__(self) -> None:
        self.connection: BaseEmailBackend = get_connection()

    def due(self, at: datetime) -> QuerySet[Letter]:
        return Letter.objects.due(at)

    def find(self, at: datetime) -> list[Letter]:
        """Nothing where there is no mail server, so that no letter loses an attempt."""
        fresh = self.free(at).filter(written_at__gt=at - FRESH_FOR)
        due = list(fresh.select_related("user")[:BATCH])
        try:
            if due:
                self.connection.open()
        except OSError as error:  # SMTPException is one as well
            logger.warning("the mail server cannot be reached (%s); trying again", _name(error))
            return []
        return due

    def call(self, work: Letter) -> None:
        EmailMessage(
            subject=work.subject,
            body=work.text,
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[work.user.email],
            connection=self.connection,
            headers={"Auto-Submitted": "auto-generated"},
        ).send()

    def carry_out(self, work: Letter, at: datetime, answer: object) -> None:
        work.clear()
        work.sent_at = at
        work.save()

    def stop(self, work: Letter, why: str, at: datetime, cause: Exception) -> None:
        work.given_up_at, work.problem = at, why
        work.save()
        logger.error("letter %s is given up after %s attempts", work.pk, work.failures)

    def explain(self, work: Letter, error: Exception) -> str:
        logger.warning("letter %s could not be sent: %s", work.pk, _name(error))
        return _name(error)


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
