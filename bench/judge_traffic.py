"""Releases as the judge sees them: two versions' requests and errors, bucket by bucket."""

import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random
from typing import Final

from releases.engine.judge import Arm, Stratum

BUCKET_S: Final = 10
PER_BUCKET: Final = 3_000
SHARES: Final = (0.05, 0.25, 0.5)
BUCKETS: Final = 90
BURST: Final = 5
INSTANCES: Final = 4
# One standard deviation of the logarithm of an instance's rate; by levels, so that tables are few.
SPREAD: Final = 0.2
_LEVELS: Final = 4
EPISODE_BUCKETS: Final = 6
EPISODE_SPREAD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Scenario:
    """``errors`` come singly, in bursts, or by instances: with a rate of their own for good, or for
    a minute at a time. Drift: the rate is half, once and one and a half times the usual at the
    three steps, and a wave on top."""

    rate: float
    drifts: bool
    errors: str

    @property
    def title(self) -> str:
        return f"{100 * self.rate:g} %, {'drift' if self.drifts else 'steady'}, {self.errors}"


SINGLE, BURSTS, INSTANCE, EPISODES = "single", "bursts of five", "instances", "episodes"
BY_INSTANCE: Final = (INSTANCE, EPISODES)
RATES: Final = (0.001, 0.01, 0.05, 0.2)
SCENARIOS: Final = tuple(
    Scenario(rate, drifts, errors)
    for errors in (SINGLE, BURSTS, INSTANCE, EPISODES)
    for drifts in (False, True)
    for rate in RATES
)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stratum, what the rest of the traffic answered as well, and errors by instance."""

    stratum: Stratum
    others: Arm
    canary: list[int]
    baseline: list[int]


class Traffic:
    """One check's errors of one release; ``times`` as many of the canary's."""

    def __init__(self, scenario: Scenario, random: Random, times: float = 1.0) -> None:
        self.scenario, self.random, self.times = scenario, random, times
        # Canary, baseline, others.
        self._levels = [self._instances(SPREAD) for _arm in range(3)]

    def buckets(self) -> Iterator[Bucket]:
        for step, share in enumerate(SHARES):
            requests = round(PER_BUCKET * share)
            for at in range(BUCKETS):
                if self.scenario.errors == EPISODES and at % EPISODE_BUCKETS == 0:
                    self._levels = [self._instances(EPISODE_SPREAD) for _arm in range(3)]
                yield self._bucket(requests, self._rate(step, at))

    def _bucket(self, requests: int, rate: float) -> Bucket:
        rest = PER_BUCKET - 2 * requests
        canary = self._errors(0, requests, rate * self.times)
        baseline = self._errors(1, requests, rate)
        others = sum(self._errors(2, rest, rate)) if rest else 0
        stratum = Stratum(Arm(requests, sum(canary)), Arm(requests, sum(baseline)))
        return Bucket(stratum, Arm(rest, others), canary, baseline)

    def _rate(self, step: int, at: int) -> float:
        if not self.scenario.drifts:
            return self.scenario.rate
        wave = 1 + 0.2 * math.sin(2 * math.pi * (at // 5 % 18) / 18)
        return self.scenario.rate * (0.5 + 0.5 * step) * wave

    def _instances(self, spread: float) -> list[float]:
        if self.scenario.errors not in BY_INSTANCE:
            return []
        levels = (round(_LEVELS * self.random.gauss(0, 1)) / _LEVELS for _one in range(INSTANCES))
        return [math.exp(spread * level) for level in levels]

    def _errors(self, arm: int, requests: int, rate: float) -> list[int]:
        draw = self.random.random
        if self.scenario.errors == BURSTS:
            low, table = _table(requests // BURST, rate)
            return [BURST * (low + bisect(table, draw()))]
        if not self._levels[arm]:
            low, table = _table(requests, rate)
            return [low + bisect(table, draw())]
        tables = [_table(requests // INSTANCES, min(1.0, rate * one)) for one in self._levels[arm]]
        return [low + bisect(table, draw()) for low, table in tables]


# Of the requests, the first of a user.
_NEW: Final = 0.1


def exposures(random: Random, share: float) -> tuple[int, int]:
    """Users who are seen first in a bucket: the canary's, and the others'."""
    users = round(PER_BUCKET * _NEW)
    low, table = _table(users, share)
    of_canary = low + bisect(table, random.random())
    return of_canary, users - of_canary


@cache
def _table(n: int, p: float) -> tuple[int, list[float]]:
    """Binomial, by inversion: the least count, and P(X <= count) from it on, to 1e-12."""
    if p >= 1:
        return n, []
    mode = min(n, math.floor((n + 1) * p))
    peak = math.exp(
        math.lgamma(n + 1) - math.lgamma(mode + 1) - math.lgamma(n - mode + 1)
        + mode * math.log(p) + (n - mode) * math.log1p(-p)
    )  # fmt: skip
    odds, above, below = p / (1 - p), [peak], list[float]()
    while above[-1] > 1e-12 and mode + len(above) <= n:
        count = mode + len(above)
        above.append(above[-1] * odds * (n - count + 1) / count)
    chance, count = peak, mode
    while chance > 1e-12 and count:
        chance *= count / (odds * (n - count + 1))
        count -= 1
        below.append(chance)
    # Without the last, so that what is left of 1 is the last count.
    return count, list(accumulate(below[::-1] + above))[:-1]
