"""What each process of a worker does beside its tasks: it looks for what is due.

So beat and the broker only make it fast: neither a beat that is away, nor a broker whose keys
somebody wrote to, holds up what is due.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import cache

from django.db import close_old_connections

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
Look = Callable[[], object]
_LANES: dict[str, list[Look]] = {}


def register(look: Look, *, lane: str = "quick") -> None:
    """Let workers call a function every few seconds. Lanes do not wait for each other: what calls
    others, or takes long, has one of its own."""
    _LANES.setdefault(lane, []).append(look)


@cache
def start() -> None:
    """Look for as long as this process lives; once in each."""
    for looks in _LANES.values():
        threading.Thread(target=_keep_looking, args=(looks,), daemon=True).start()


def _keep_looking(looks: list[Look]) -> None:
    while True:
        for look in looks:
            try:
                look()
            except Exception as error:  # the next look tries again
                logger.warning("looking for what is due: %s", type(error).__name__)
        close_old_connections()
        time.sleep(LOOK_EVERY_S)
