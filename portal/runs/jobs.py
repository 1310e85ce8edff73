"""What is done at intervals: a row each, claimed like all that is due. Beat only reminds of it."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

from celery import shared_task
from django.db import close_old_connections
from django.db.models import QuerySet

from portal.runs.models import Job
from portal.runs.runner import Runner

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
Look = Callable[[], object]
_LANES: dict[tuple[str, float], list[Look]] = {}
# By the name of its task, how often beat reminds of each.
INTERVALS: dict[str, timedelta] = {}


def look(
    *, lane: str = "quick", every_s: float = LOOK_EVERY_S, name: str = ""
) -> Callable[[Look], Look]:
    """Let a function be called every few seconds, and as a task; called like it without a ``name``.

    Lanes do not wait for each other: what calls others, or takes long, has one of its own.
    """

    def register(do: Look) -> Look:
        _LANES.setdefault((lane, every_s), []).append(do)
        add_task(name or f"{do.__module__}.{do.__name__}", timedelta(seconds=LOOK_EVERY_S), do)
        return do

    return register


def add_task(name: str, interval: timedelta, do: Look) -> None:
    INTERVALS[name] = interval
    shared_task(name=name, ignore_result=True)(do)


@cache
def start() -> None:
    """Look for as long as this process lives; once in each."""
    for (_lane, every_s), looks in _LANES.items():
        threading.Thread(target=_keep_looking, args=(looks, every_s), daemon=True).start()


def _keep_looking(looks: list[Look], every_s: float) -> None:
    while True:
        for do in looks:
            try:
                do()
            except Exception as error:  # the next look tries again
                logger.warning("%s: %s", do.__name__, type(error).__name__)
        close_old_connections()
        time.sleep(every_s)


Done = Callable[[], None]
_JOBS: dict[str, tuple[timedelta, Done]] = {}


def every(interval: timedelta, *, name: str = "") -> Callable[[Done], Done]:
    """Let a function be called at intervals, by one worker at a time, and as a task.

    The task and its row are called like the function unless they have another ``name``.

    It has to bear being done again: after a worker that died, and after one that was stopped for
    longer than its lease.
    """

    def register(do: Done) -> Done:
        job = name or f"{do.__module__}.{do.__name__}"

        def do_if_due() -> None:
            Jobs(job).look()

        _JOBS[job] = (interval, do)
        add_task(job, interval, do_if_due)
        return do

    return register


@look(lane="jobs")
def carry_out_jobs() -> None:
    Jobs().look()


class Jobs(Runner[Job]):
    gives_up = False

    def __init__(self, *names: str) -> None:
        self.names = names or tuple(_JOBS)

    def due(self, at: datetime) -> QuerySet[Job]:
        return Job.objects.filter(name__in=self.names, due_at__lte=at)

    def find(self, at: datetime) -> list[Job]:
        """What is due, once new jobs have their row and a shorter interval is known."""
        latest = {name: at + _JOBS[name][0] for name in self.names}
        rows = {job.name: job for job in Job.objects.filter(name__in=self.names)}
        new = [Job(name=name, due_at=due) for name, due in latest.items() if name not in rows]
        Job.objects.bulk_create(new, ignore_conflicts=True)
        for name, job in rows.items():
            if job.due_at > latest[name]:
                Job.objects.filter(pk=job.pk).update(due_at=latest[name])
        return super().find(at)

    def call(self, work: Job) -> None:
        _JOBS[work.name][1]()

    def carry_out(self, work: Job, at: datetime, answer: object) -> None:
        """It goes on with the next time of its interval: what was missed is not made up for."""
        interval = _JOBS[work.name][0]
        work.clear()
        work.due_at += ((at - work.due_at) // interval + 1) * interval
        work.done_at = at
        work.save()
