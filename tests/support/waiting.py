"""Waiting for something to become true, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(
    probe: Callable[[], Found], *, within_s: float = 30.0, what: str = "what was waited for"
) -> Found:
    """The first true answer of ``probe``. Fails when there is none in time."""
    ends_at = time.monotonic() + within_s
    pause_s = 0.01
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > ends_at:
            raise AssertionError(f"{what} is not so within {within_s} s; last seen: {found!r}")
        time.sleep(pause_s)
        # Looking takes the time of who is waited for: what takes long is looked at less often.
        pause_s = min(1.2 * pause_s, 0.1)
