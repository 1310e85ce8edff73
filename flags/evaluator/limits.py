"""Requests per second and key: a token bucket in this process's memory.

Every evaluator process counts for itself, so N processes let through N times as much.
"""

import math
from typing import Final

from flags.evaluator.keys import ApiKey

TOO_MANY: Final = "this API key sends more than its %g requests per second: try again in %d s"


class Limits:
    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}
        """Selector -> tokens left, and the instant they were counted at."""

    def wait_s(self, key: ApiKey, *, now: float) -> int:
        """Take a token; else the whole seconds, one at least, until there will be one.

        ``now`` is monotonic. A bucket starts full; refused requests take nothing.
        """
        if key.rate is None:
            return 0
        most = float(key.burst or max(key.rate, 1))
        left, counted_at = self._buckets.get(key.selector, (most, now))
        left = min(most, left + (now - counted_at) * key.rate)
        if left < 1:
            self._buckets[key.selector] = left, now
            return max(1, math.ceil((1 - left) / key.rate))
        self._buckets[key.selector] = left - 1, now
        return 0


def describe(key: ApiKey, wait_s: int) -> str:
    return TOO_MANY % (key.rate or 0, wait_s)
