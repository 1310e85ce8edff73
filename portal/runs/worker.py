"""What each process of a worker does beside its tasks: it looks for what is due.

So beat and the broker only make it fast: neither a beat that is away, nor a broker whose keys
somebody wrote to, holds up what is due.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache

from celery import shared_task
from django.db import close_old_connections

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
