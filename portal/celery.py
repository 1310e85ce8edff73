"""The worker and beat processes. Tasks carry an id; what is due, the database says.

Beat and the broker only make it fast: each process of a worker also looks for itself.
"""

import os
import warnings
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.concurrency.prefork import TaskPool
from celery.signals import celeryd_after_setup, import_modules, worker_process_init

# Only JSON is accepted, so what this warns of (root unpickling a message) cannot happen.
warnings.filterwarnings("ignore", message="You're running the worker with superuser")

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("aviary")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@import_modules.connect
def _tell_beat(**_signal: Any) -> None:
    """Once all tasks are known: each job at its interval, and a look for the rest."""
    from portal.access.tasks import forget_answers
    from portal.runs import jobs

    jobs.every(timedelta(hours=1))(forget_answers)
    app.conf.beat_schedule = {
        name: {"task": name, "schedule": interval} for name, interval in jobs.INTERVALS.items()
    }


@celeryd_after_setup.connect
def _look_beside_a_pool_of_threads(instance: Any, **_signal: Any) -> None:
    if not issubclass(instance.pool_cls, TaskPool):
        _look_beside_the_tasks()


@worker_process_init.connect
def _look_beside_the_tasks(**_signal: Any) -> None:
    from portal.runs import jobs

    jobs.start()
