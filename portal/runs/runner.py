"""Carrying out what is due, by any number of workers at once.

Each piece of work is *claimed* by a conditional update of its row, which raises its fence and
leases it; what takes a while or lies outside of the database happens then, while the lease is
renewed; and one transaction does the rest, if the fence is still the same. So what is done in the
database is done once, what is done outside at least once, and a worker that dies is made up for
when its lease is over. Only the database's clock says what is due.

What cannot be carried out for a reason that passes by itself (a freeze) is *held*: looked at again
every few seconds, and said once. What breaks is tried again, later each time.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.lib import clock
from portal.lib.errors import AviaryError
from portal.runs.failpoints import failpoint
from portal.runs.models import DueWork

logger = logging.getLogger(__name__)
LEASE_S = 10
HELD_LOOK = timedelta(seconds=5)
# Some ten minutes from the first failure to the last attempt.
DELAYS = tuple(timedelta(seconds=5 * 2**n) for n in range(7))
T = TypeVar("T")
Work = TypeVar("Work", bound=DueWork)


def for_each(things: Iterable[T], do: Callable[[T], object]) -> int:
    """Do something with each, and return how often it said yes; one that breaks is logged alone."""
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
    """One kind of work: how to find what is due, and what carrying out one of it is.

    ``holding`` are the refusals that pass by themselves. After each failure in a row it is tried
    again ``delays`` later, and after all of them it is given up, where ``gives_up`` says so.
    """

    holding: tuple[type[AviaryError], ...] = ()
    delays = DELAYS
    gives_up = True

    @abstractmethod
    def due(self, at: datetime) -> QuerySet[Work]:
        """What is to be done by then, by columns of its own table alone."""

    def lock(self, seen: Work) -> Work:
        """The work as it is now, and all that decides about it, locked in every writer's order."""
        return type(seen)._default_manager.select_for_update(no_key=True).get(pk=seen.pk)

    def call(self, work: Work) -> object:
        """Do what takes a while or lies outside of the database; it may be done again."""

    @abstractmethod
    def carry_out(self, work: Work, at: datetime, answer: object) -> None:
        """Do the rest and store it, in the transaction that ends the claim; ``answer`` is call's.

        Where it raises AviaryError, it has undone what it did.
        """

    def stop(self, work: Work, why: str, at: datetime, cause: Exception) -> None:
        """Give up locked work and store it, where that is ever done."""

    def tell(self, work: Work, event: str, why: str) -> None:
        """Say that it is ``held``, or that a ``step_failed``: once for each reason."""

    def explain(self, work: Work, error: Exception) -> str:
        """What people read of an error that was not made for them; the log has the rest."""
        logger.error("%s could not be carried out", work, exc_info=error)
        return _("It broke on our side; the log has the details.")

    def look(self) -> int:
        return for_each(self.find(clock.database_now()), self.attempt)

    def find(self, at: datetime) -> list[Work]:
        return list(self.free(at))

    def free(self, at: datetime) -> QuerySet[Work]:
        return self.due(at).exclude(retry_at__gt=at).exclude(leased_until__gt=at)

    def attempt(self, seen: Work) -> bool:
        """Carry out one if it is still as it was seen; returns whether it was claimed."""
        failpoint("before-claim")
        if not self._claim(seen):
            return False
        failpoint("after-claim")
        try:
            with _renewed(seen):
                answer = self.call(seen)
            failpoint("after-call")
            self._commit(seen, lambda work, at: self.carry_out(work, at, answer))
        except (OperationalError, InterfaceError):
            raise
        except Exception as broken:
            error = broken  # all that it did is undone
            self._commit(seen, lambda work, at: self._settle(work, at, error))
        failpoint("after-commit")
        return True

    def _claim(self, seen: Work) -> bool:
        """One row or stop."""
        at = clock.database_now()
        mine = self.free(at).filter(pk=seen.pk, fence=seen.fence)
        seen.fence += 1
        lease = at + timedelta(seconds=LEASE_S)
        return mine.update(fence=seen.fence, leased_until=lease) == 1

    @transaction.atomic
    def _commit(self, seen: Work, act: Callable[[Work, datetime], None]) -> None:
        if connection.vendor == "postgresql":  # who is stopped in here keeps no locks
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{LEASE_S}s'")
        try:
            work = self.lock(seen)
        except ObjectDoesNotExist:
            return
        at = clock.database_now()
        if self.due(at).filter(pk=seen.pk, fence=seen.fence).update(leased_until=None) != 1:
            logger.warning("%s is not ours any more; discarded", seen)
            return
        work.leased_until = None
        try:
            act(work, at)
        except AviaryError as error:
            self._settle(work, at, error)
        failpoint("before-commit")

    def _settle(self, work: Work, at: datetime, error: Exception) -> None:
        why = str(error) if isinstance(error, AviaryError) else self.explain(work, error)
        work.failures = 0 if isinstance(error, self.holding) else work.failures + 1
        if not work.failures:
            event, work.held_at = "held", work.held_at or at
            work.retry_at = at + HELD_LOOK
        elif self.gives_up and (isinstance(error, AviaryError) or work.failures > len(self.delays)):
            self.stop(work, why, at, error)
            return
        else:
            event = "step_failed"
            work.retry_at = at + self.delays[min(work.failures, len(self.delays)) - 1]
        is_news, work.problem = work.problem != why, why
        work.save(update_fields=["problem", "held_at", "failures", "retry_at"])
        if is_news:
            self.tell(work, event, why)


@contextmanager
def _renewed(work: DueWork) -> Iterator[None]:
    """Renew a lease, by a thread of its own, for as long as the block lasts."""
    over = threading.Event()
    thread = threading.Thread(target=_renew, args=(work, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _renew(work: DueWork, over: threading.Event) -> None:
    mine = type(work)._default_manager.filter(pk=work.pk, fence=work.fence)
    while not over.wait(LEASE_S / 3):
        try:
            mine.update(leased_until=clock.database_now() + timedelta(seconds=LEASE_S))
        except DatabaseError as error:  # there is time for two more
            logger.warning("the lease of %s: %s", work, type(error).__name__)
    connection.close()
