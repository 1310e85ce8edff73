"""What each process of a worker does beside its tasks: it looks for what is due.

So beat and the broker only make it fast: neither a beat that is away, nor a broker whose keys
somebody wrote to, holds up what is due.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import cache

from celery import shared_task
from django.db import close_old_connections

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
Look = Callable[[], object]
_LANES: dict[str, dict[str, Look]] = {}


def look(*, lane: str = "quick") -> Callable[[Look], Look]:
    """Let a function be called every few seconds, and as a task of its name.

    Lanes do not wait for each other: what calls others, or takes long, has one of its own.
    """

    def register(do: Look) -> Look:
        name = f"{do.__module__}.{do.__name__}"
        _LANES.setdefault(lane, {})[name] = do
        shared_task(name=name, ignore_result=True)(do)
        return do

    return register


def names() -> list[str]:
    """The tasks that look, for beat."""
    return [name for looks in _LANES.values() for name in looks]


@cache
def start() -> None:
    """Look for as long as this process lives; once in each."""
    for looks in _LANES.values():
        threading.Thread(target=_keep_looking, args=(looks,), daemon=True).start()


def _keep_looking(looks: dict[str, Look]) -> None:
    while True:
        for name, do in looks.items():
            try:
                do()
            except Exception as error:  # the next look tries again
                logger.warning("%s: %s", name, type(error).__name__)
        close_old_connections()
        time.sleep(LOOK_EVERY_S)
