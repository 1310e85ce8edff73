"""What is done at intervals: by one worker at a time, without beat or with several."""

from datetime import timedelta

import pytest

from portal.celery import app
from portal.lib import clock
from portal.runs import jobs
from portal.runs.jobs import Jobs
from portal.runs.models import Job
from tests.support import concurrently

MINUTE = timedelta(minutes=1)
# The tasks of before: a queue may hold them when an installation is upgraded.
OLD_TASKS = {
    "flags.tasks.carry_out_plans",
    "flags.tasks.forget_old_changes",
    "flags.tasks.forget_old_usage",
    "flags.tasks.publish_all",
    "flags.tasks.remind_owners",
    "portal.access.tasks.forget_answers",
    "portal.approvals.tasks.apply_waiting",
    "portal.approvals.tasks.remind",
    "portal.approvals.tasks.revert_due_emergencies",
    "portal.audit.tasks.anchor_head",
    "portal.audit.tasks.purge",
    "portal.letters.tasks.forget_old_letters",
    "portal.letters.tasks.send_letters",
}
# Others do now what these did.
GONE_TASKS = {"flags.tasks.keep_key_use", "flags.tasks.keep_samples", "flags.tasks.keep_usage"}


CALLS: list[str] = []


@jobs.every(MINUTE)
def sweep() -> None:
    CALLS.append("swept")


NAME = f"{__name__}.sweep"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One job alone, and when it was done."""
    monkeypatch.setattr(jobs, "_JOBS", {NAME: (MINUTE, sweep)})
    CALLS.clear()
    return CALLS


def let_it_be_due(**ago: float) -> None:
    Jobs(NAME).look()
    Job.objects.filter(name=NAME).update(due_at=clock.database_now() - timedelta(**ago))


def test_old_task_names__still_run_and_beat_reminds_of_each() -> None:
    app.loader.import_default_modules()
    app.finalize()
    assert set(app.tasks) >= OLD_TASKS | GONE_TASKS
    assert set(app.conf.beat_schedule) >= OLD_TASKS
    assert {one["task"] for one in app.conf.beat_schedule.values()} <= set(app.tasks)
    assert "portal.runs.jobs.carry_out_jobs" in jobs.INTERVALS


@pytest.mark.django_db
def test_a_job__is_done_once_in_its_interval_and_not_made_up_for(calls: list[str]) -> None:
    jobs.carry_out_jobs()
    assert calls == []  # a new installation has nothing to do yet
    let_it_be_due(seconds=200)
    for _beat in range(3):
        app.tasks[NAME]()
        Jobs().look()
    assert calls == ["swept"]
    job, now = Job.objects.get(), clock.database_now()
    assert now < job.due_at <= now + MINUTE
    assert (job.due_at - now).total_seconds() % 60 == pytest.approx(40, abs=19)
    assert job.done_at


@pytest.mark.django_db(transaction=True)
def test_a_job__ten_workers_at_once__do_it_once(calls: list[str]) -> None:
    let_it_be_due(seconds=1)
    looked = concurrently.run(*[lambda: Jobs().look()] * 10)
    assert [one for one in looked if isinstance(one, Exception)] == []
    assert calls == ["swept"]


@pytest.mark.django_db
def test_an_interval_that_is_shorter_by_now__counts(calls: list[str]) -> None:
    let_it_be_due(days=-1)
    Jobs().look()
    assert Job.objects.get().due_at <= clock.database_now() + MINUTE


@pytest.mark.django_db
def test_a_job_that_breaks__is_tried_again_for_ever(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_JOBS", {NAME: (MINUTE, lambda: 1 / 0)})
    let_it_be_due(seconds=1)
    for _again in range(10):
        assert Jobs().look() == 1
        Job.objects.update(retry_at=None)
    job = Job.objects.get()
    assert (job.failures, job.done_at) == (10, None)
    assert "broke on our side" in job.problem
