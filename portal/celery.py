"""The worker and beat processes. Tasks carry an id; what is due, the database says.

Beat and the broker only make it fast: each process of a worker also looks for itself, so that a
beat that is away, or a broker whose keys somebody wrote to, holds up nothing that is due.
"""

import logging
import os
import threading
import time
import warnings
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from django.conf import settings
from django.db import close_old_connections

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0
_DUE = (
    "portal.approvals.tasks.revert_due_emergencies",
    "portal.approvals.tasks.apply_waiting",
    "flags.tasks.carry_out_plans",
    "portal.letters.tasks.send_letters",
)

# Only JSON is accepted, so what this warns of (root unpickling a message) cannot happen.
warnings.filterwarnings("ignore", message="You're running the worker with superuser")

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("aviary")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "revert-emergencies": {
        "task": "portal.approvals.tasks.revert_due_emergencies",
        "schedule": 10.0,
    },
    "apply-after-freezes": {"task": "portal.approvals.tasks.apply_waiting", "schedule": 10.0},
    "carry-out-plans": {"task": "flags.tasks.carry_out_plans", "schedule": 5.0},
    "send-letters": {"task": "portal.letters.tasks.send_letters", "schedule": 5.0},
    "forget-letters": {"task": "portal.letters.tasks.forget_old_letters", "schedule": 86_400.0},
    "remind": {"task": "portal.approvals.tasks.remind", "schedule": 600.0},
    "publish-what-a-nudge-missed": {"task": "flags.tasks.publish_all", "schedule": 10.0},
    "keep-when-keys-were-used": {"task": "flags.tasks.keep_key_use", "schedule": 15.0},
    "keep-what-was-asked-for": {"task": "flags.tasks.keep_usage", "schedule": 5.0},
    "keep-samples": {"task": "flags.tasks.keep_samples", "schedule": 15.0},
    "forget-old-usage": {"task": "flags.tasks.forget_old_usage", "schedule": 3600.0},
    "remind-owners-of-flags": {"task": "flags.tasks.remind_owners", "schedule": 3600.0},
    "forget-published-changes": {"task": "flags.tasks.forget_old_changes", "schedule": 3600.0},
    "anchor-the-audit-trail": {
        "task": "portal.audit.tasks.anchor_head",
        "schedule": float(settings.AUDIT_ANCHOR_WEBHOOK_INTERVAL_S),
    },
    "forget-answers": {"task": "portal.access.tasks.forget_answers", "schedule": 3600.0},
    "purge-old-audit-rows": {"task": "portal.audit.tasks.purge", "schedule": 86_400.0},
}


@worker_process_init.connect
def _look_beside_the_tasks(**_signal: Any) -> None:
    threading.Thread(target=_keep_looking, daemon=True).start()


def _keep_looking() -> None:
    """Do what is due, for ever. Any number may: each piece of work is claimed where it is done."""
    while True:
        for name in _DUE:
            try:
                app.tasks[name]()
            except Exception as error:  # the next look tries again
                logger.warning("looking for what is due: %s failed (%s)", name, error)
        close_old_connections()
        time.sleep(_LOOK_EVERY_S)
