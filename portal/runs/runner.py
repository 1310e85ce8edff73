"""Carrying out what is due.

Any number of workers look at once, and a task may be delivered twice: each piece of work is claimed
by a conditional update of its row, so that it is done once. Only the database's clock says what is
due. There are two ways:

- *In the transaction of the effect* (``TransactionRunner``), where all of the effect is rows: a
  worker that dies leaves nothing, and the next one does it. PostgreSQL ends a transaction in which
  a worker is stopped, so that its locks are in nobody's way.
- *Leased* (``LeaseRunner``), where the effect is outside of the database or takes long: the claim
  is committed first and renewed while the effect lasts. A worker that dies is made up for when the
  lease is over, so the effect happens at least once; what the late one wants to store is discarded.

What cannot be carried out now for a reason that passes by itself (a freeze) is *held*: looked at
again every few seconds, and said once. What breaks is tried again, later each time.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from portal.lib import clock
from portal.lib.errors import AviaryError
from portal.runs.failpoints import failpoint
from portal.runs.models import DueWork, LeasedWork

logger = logging.getLogger(__name__)
LEASE = timedelta(seconds=10)
HELD_LOOK = timedelta(seconds=5)
# Some ten minutes from the first failure to the last attempt.
DELAYS = tuple(timedelta(seconds=5 * 2**n) for n in range(7))
_TOLD = ["problem", "held_at", "failures", "retry_at"]
T = TypeVar("T")
Work = TypeVar("Work", bound=DueWork)
Leased = TypeVar("Leased", bound=LeasedWork)


def for_each(things: Iterable[T], do: Callable[[T], object]) -> int:
    """Do something with each of some things; returns with how many it did.

    One that breaks is logged and holds up no other.
    """
    done = 0
    for one in things:
        try:
            done += bool(do(one))
        except (OperationalError, InterfaceError) as error:  # nobody's fault; the next look does it
            logger.warning("%s: the database refused (%s)", one, type(error).__name__)
        except Exception:
            logger.exception("%s could not be done", one)
    return done


class Runner(ABC, Generic[Work]):
    """One kind of work: how to find what is due, and what carrying out one of it is."""

    holding: tuple[type[AviaryError], ...] = ()
    """The refusals that pass by themselves."""
    delays = DELAYS
    """How long after each failure in a row it is tried again; after the last it is given up."""
    gives_up = True

    @abstractmethod
    def due(self, at: datetime) -> QuerySet[Work]:
        """What is to be done by then, by columns of its own table alone."""

    @abstractmethod
    def attempt(self, seen: Work) -> bool:
        """Carry out one if it is still as it was seen; returns whether it was claimed."""

    def stop(self, work: Work, why: str, at: datetime, cause: Exception) -> None:
        """Give up locked work, and store it. Needed where something is ever given up."""
        raise NotImplementedError

    def tell(self, work: Work, event: str, why: str) -> None:
        """Somebody may want to know: ``held`` or ``step_failed``, once for each reason."""

    def explain(self, work: Work, error: Exception) -> str:
        """What people read of an error that was not made for them; the log has the rest."""
        logger.error("%s could not be carried out", work, exc_info=error)
        return _("It broke on our side; the log has the details.")

    def look(self) -> int:
        """Carry out what is due; returns how many were claimed."""
        return for_each(self.find(clock.database_now()), self.attempt)

    def find(self, at: datetime) -> list[Work]:
        """What is due and nobody's, as it is seen before anything is locked."""
        return list(self.free(at))

    def free(self, at: datetime) -> QuerySet[Work]:
        return self.due(at).exclude(retry_at__gt=at)

    def claim(self, seen: Work, at: datetime, **changes: Any) -> bool:
        mine = self.free(at).filter(pk=seen.pk, fence=seen.fence)
        return mine.update(fence=F("fence") + 1, **changes) == 1

    def settle(self, work: Work, error: Exception, at: datetime) -> None:
        """Store why locked work was not carried out, and what becomes of it."""
        if isinstance(error, self.holding):
            work.failures = 0
            self._postpone(work, "held", str(error), work.held_at or at, at + HELD_LOOK)
        elif isinstance(error, AviaryError) and self.gives_up:
            self.stop(work, str(error), at, error)
        else:
            self._fail(work, error, at)

    def _fail(self, work: Work, error: Exception, at: datetime) -> None:
        why = self.explain(work, error)
        if self.gives_up and work.failures > len(self.delays):
            self.stop(work, why, at, error)
            return
        delay = self.delays[min(work.failures, len(self.delays)) - 1]
        self._postpone(work, "step_failed", why, None, at + delay)

    def _postpone(
        self, work: Work, event: str, why: str, held_at: datetime | None, retry_at: datetime
    ) -> None:
        is_news, work.problem = work.problem != why, why
        work.held_at, work.retry_at = held_at, retry_at
        work.save(update_fields=_TOLD)
        if is_news:
            self.tell(work, event, why)


class TransactionRunner(Runner[Work]):
    """Work whose claim, effect and end are one transaction."""

    @abstractmethod
    def lock(self, seen: Work) -> Work:
        """The work as it is now, and all that decides about it, locked in every writer's order."""

    @abstractmethod
    def carry_out(self, work: Work, at: datetime) -> None:
        """Do it and store it. Where it raises AviaryError, it has undone what it did."""

    def attempt(self, seen: Work) -> bool:
        try:
            with transaction.atomic():
                claimed = self._attempt(seen)
                failpoint("before-commit")
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # all of it is undone, the claim too
            claimed = self._note_failure(seen, error)
        failpoint("after-commit")
        return claimed

    def _attempt(self, seen: Work) -> bool:
        _end_when_stopped()
        failpoint("before-claim")
        work, at = self._claimed(seen)
        if work is None:
            return False
        failpoint("after-claim")
        try:
            self.carry_out(work, at)
        except AviaryError as error:
            self.settle(work, error, at)
        return True

    def _claimed(self, seen: Work) -> tuple[Work | None, datetime]:
        """The locked work; None where somebody stopped, deleted or did it."""
        try:
            work = self.lock(seen)
        except ObjectDoesNotExist:
            return None, clock.database_now()
        at = clock.database_now()
        if not self.claim(seen, at):
            return None, at
        work.fence = seen.fence + 1
        return work, at

    @transaction.atomic
    def _note_failure(self, seen: Work, error: Exception) -> bool:
        work, at = self._claimed(seen)
        if work is not None:
            work.failures += 1
            self.settle(work, error, at)
        return work is not None


def _end_when_stopped() -> None:
    """A worker that is stopped in its transaction must not keep everybody's locks."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            milliseconds = int(LEASE.total_seconds() * 1000)
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")


class WorkersEnded(Exception):
    """Nobody knows why: each that had it in hand was gone before its end."""


class LeaseRunner(Runner[Leased]):
    """Work that takes a while, outside of any transaction; what it stores is one commit."""

    @abstractmethod
    def carry_out(self, work: Leased) -> object:
        """Do it; the next worker may do it again."""

    @abstractmethod
    def store(self, work: Leased, done: object) -> None:
        """Keep what ``carry_out`` returned, in the transaction that ends the lease."""

    def free(self, at: datetime) -> QuerySet[Leased]:
        return super().free(at).exclude(leased_until__gt=at)

    def attempt(self, seen: Leased) -> bool:
        failpoint("before-claim")
        at = clock.database_now()
        # Who dies with it counts as well: what ends its workers must not do so for ever.
        if not self.claim(seen, at, failures=F("failures") + 1, leased_until=at + LEASE):
            return False
        failpoint("after-claim")
        seen.fence, seen.failures = seen.fence + 1, seen.failures + 1
        try:
            done = self._carry_out(seen)
        except Exception as error:
            self._finish(seen, partial(self.settle, seen, error, clock.database_now()))
        else:
            self._finish(seen, partial(self._succeed, seen, done))
        return True

    def _carry_out(self, work: Leased) -> object:
        if self.gives_up and work.failures > len(self.delays) + 1:
            raise WorkersEnded
        with _renewed(work):
            done = self.carry_out(work)
            failpoint("after-effect")
            return done

    def _succeed(self, work: Leased, done: object) -> None:
        work.clear()
        work.save(update_fields=_TOLD)
        self.store(work, done)

    def _finish(self, work: Leased, store: Callable[[], None]) -> None:
        """End the lease and store what came of it, unless it is another worker's by now."""
        with transaction.atomic():
            if _held(work).update(leased_until=None) == 1:
                store()
            else:
                logger.warning("%s was taken over by another worker; discarded", work)
            failpoint("before-commit")
        failpoint("after-commit")


def _held(work: Leased) -> QuerySet[Leased]:
    return type(work)._default_manager.filter(pk=work.pk, fence=work.fence)


@contextmanager
def _renewed(work: LeasedWork) -> Iterator[None]:
    """Renew a lease, by a thread of its own, for as long as the block lasts."""
    over = threading.Event()
    thread = threading.Thread(target=_renew, args=(work, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(work: LeasedWork, over: threading.Event) -> None:
    while not over.wait(LEASE.total_seconds() / 3):
        try:
            _held(work).update(leased_until=clock.database_now() + LEASE)
        except DatabaseError as error:  # there is time for two more
            logger.warning("the lease of %s: %s", work, type(error).__name__)
    connection.close()
