"""What all due work has in common, with a small client: jobs that one function carries out."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import OperationalError
from django.db.models import QuerySet

from portal.lib import clock
from portal.lib.errors import AviaryError
from portal.runs import runner
from portal.runs.models import Job
from portal.runs.runner import DELAYS, LEASE_S, Runner
from tests.support import concurrently
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db


class Passing(AviaryError):
    """Like a freeze."""


class Killed(BaseException):
    """The worker is gone."""


class Small(Runner[Job]):
    """``step`` is called outside of the transaction, ``end`` inside it."""

    holding = (Passing,)

    def __init__(self, step: Callable[[], object] = int, end: Callable[[], object] = int) -> None:
        self.step, self.end = step, end
        self.told: list[tuple[str, str]] = []

    def due(self, at: datetime) -> QuerySet[Job]:
        return Job.objects.filter(due_at__lte=at, done_at=None)

    def call(self, work: Job) -> object:
        return self.step()

    def carry_out(self, work: Job, at: datetime, answer: object) -> None:
        self.end()
        work.clear()
        work.done_at = at
        work.save()

    def stop(self, work: Job, why: str, at: datetime, cause: Exception) -> None:
        work.done_at, work.problem = at, f"stopped: {why}"
        work.save()

    def tell(self, work: Job, event: str, why: str) -> None:
        self.told.append((event, why))


def a_job(name: str = "one") -> Job:
    return Job.objects.create(name=name, due_at=clock.database_now())


def time_passes(job: Job) -> Job:
    """As if every lease and delay were over."""
    Job.objects.update(leased_until=None, retry_at=None)
    return Job.objects.get(pk=job.pk)


def raising(error: BaseException) -> Callable[[], object]:
    def act() -> object:
        raise error

    return act


def kill_at(patch: pytest.MonkeyPatch, point: str) -> None:
    def failpoint(name: str) -> None:
        if name == point:
            raise Killed

    patch.setattr(runner, "failpoint", failpoint)


POINTS = ("before-claim", "after-claim", "after-call", "before-commit", "after-commit")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_dies_at_any_point__is_made_up_for_and_stores_its_end_once(
    monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    job, ends = a_job(), []
    with monkeypatch.context() as patch:
        kill_at(patch, point)
        with pytest.raises(Killed):
            Small().look()
    job.refresh_from_db()
    assert bool(job.done_at) == (point == "after-commit")
    if job.leased_until:  # nobody takes it before that
        assert Small().look() == 0
        assert job.leased_until <= clock.database_now() + timedelta(seconds=LEASE_S)
    assert (job.failures, job.retry_at) == (0, None)  # a worker's death is no failure
    time_passes(job)
    Small(end=lambda: ends.append("then")).look()
    assert ends == ["then"] * (point != "after-commit")
    assert Small().look() == 0


@pytest.mark.django_db(transaction=True)
def test_a_task_delivered_many_times_at_once__is_carried_out_once() -> None:
    job, calls = a_job(), []
    small = Small(step=lambda: calls.append("call"))
    for claimed in concurrently.run(*[lambda: small.attempt(Job.objects.get(pk=job.pk))] * 10):
        assert isinstance(claimed, bool), claimed
    job.refresh_from_db()
    assert (calls, job.fence, bool(job.done_at)) == (["call"], 1, True)


def test_a_worker_that_was_stopped_for_longer_than_its_lease__stores_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    job, ends = a_job(), []

    def be_stopped() -> None:
        time_passes(job)
        assert Small(end=lambda: ends.append("the other's")).look() == 1
        Job.objects.update(done_at=None)  # so that nothing but the fence keeps the late one off

    Small(step=be_stopped, end=lambda: ends.append("late")).look()
    job.refresh_from_db()
    assert (ends, job.fence) == (["the other's"], 2)
    assert "job one is not ours any more" in caplog.text


@pytest.mark.parametrize("what", ["deleted", "done by hand"])
def test_what_somebody_deleted_or_did_meanwhile__is_not_carried_out(what: str) -> None:
    job, ends = a_job(), []

    def meanwhile() -> None:
        if what == "deleted":
            job.delete()
        else:
            Job.objects.update(done_at=clock.database_now())

    Small(step=meanwhile, end=lambda: ends.append("end")).look()
    assert ends == []


@pytest.mark.django_db(transaction=True)
def test_a_long_call__keeps_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LEASE_S", 0.3)
    job = a_job()

    def call() -> None:
        first = Job.objects.get(pk=job.pk).leased_until
        wait_until(lambda: Job.objects.get(pk=job.pk).leased_until != first)

    assert Small(step=call).look() == 1
    job.refresh_from_db()
    assert (bool(job.done_at), job.leased_until) == (True, None)


def test_what_breaks__is_tried_again_later_each_time_and_given_up_in_the_end() -> None:
    job, small = a_job(), Small(end=raising(ZeroDivisionError()))
    waits = []
    while not job.done_at:
        at = clock.database_now()
        assert (small.look(), small.look()) == (1, 0)
        job.refresh_from_db()
        waits.append((job.retry_at or at) - at)
        job = time_passes(job)
    assert job.failures == len(DELAYS) + 1
    assert job.problem == "stopped: It broke on our side; the log has the details."
    rising = waits[:-1]
    assert all(wait >= delay for wait, delay in zip(rising, DELAYS, strict=True))
    assert [event for event, _why in small.told] == ["step_failed"]


def test_what_is_held__is_looked_at_again_soon_and_says_so_once() -> None:
    job, small = a_job(), Small(end=raising(Passing("frozen")))
    since = None
    for _again in range(len(DELAYS) + 2):
        assert (small.look(), small.look()) == (1, 0)
        job = time_passes(job)
        since = since or job.held_at
        assert (job.problem, job.failures, job.held_at) == ("frozen", 0, since)
    assert since
    assert small.told == [("held", "frozen")]
    small.end = int
    small.look()
    job.refresh_from_db()
    assert (bool(job.done_at), job.problem, job.held_at) == (True, "", None)


def test_a_refusal__stops_it_at_once() -> None:
    job = a_job()
    Small(end=raising(AviaryError("no room"))).look()
    job.refresh_from_db()
    assert (job.problem, bool(job.done_at)) == ("stopped: no room", True)


@pytest.mark.parametrize("error", [ZeroDivisionError(), OperationalError("locked")])
def test_what_breaks_or_is_locked__holds_up_no_other(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    a_job(), a_job("two")
    errors = iter([error])

    def end() -> None:
        for one in errors:
            raise one

    with caplog.at_level(logging.WARNING):
        Small(end=end).look()
    assert Job.objects.exclude(done_at=None).get().name == "two"
    assert "one" in caplog.text
