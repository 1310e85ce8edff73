"""Business series, canary against baseline: Mann and Whitney's test, with Kayenta's meaning.

Once per step, over disjoint windows, and outside alpha: it may hold and never rolls back.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from statistics import NormalDist, median
from typing import Final

from releases.engine.verdicts import Verdict

LEAST_VALUES: Final = 5
MOST_VALUES: Final = 500
"""Longer series are thinned evenly to this many, for their pairs are compared."""
CONFIDENCE: Final = 0.98
TOLERANCE: Final = 0.25
# Up to so many values the distribution is counted out; beyond, the normal one is near enough.
_EXACT: Final = 50


class Classification(StrEnum):
    HIGH = "high"
    LOW = "low"
    PASS = "pass"  # noqa: S105  Kayenta's word, no password
    NO_DATA = "nodata"


class Direction(StrEnum):
    """Which side is worse."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Ranks:
    """``effect`` is Hodges and Lehmann's: the median of canary - baseline over all pairs, in the
    series' unit, with its interval; None where there were too few values."""

    verdict: Verdict
    classification: Classification
    effect: float | None = None
    lower: float | None = None
    upper: float | None = None


def mann_whitney(
    canary: Sequence[float],
    baseline: Sequence[float],
    *,
    worse: Direction = Direction.EITHER,
    confidence: float = CONFIDENCE,
    tolerance: float = TOLERANCE,
) -> Ranks:
    """Whether one series lies above or below the other. Values that are no numbers are left out.

    As Kayenta has it: high where the interval of the shift lies above ``tolerance`` times its
    estimate, low where it lies below the same to the other side.
    """
    one, other = _values(canary), _values(baseline)
    if min(len(one), len(other)) < LEAST_VALUES:
        is_empty = not one or not other
        verdict = Verdict.NO_DATA if is_empty else Verdict.INCONCLUSIVE
        return Ranks(verdict, Classification.NO_DATA)
    shifts = sorted(a - b for a in one for b in other)
    effect = median(shifts)
    at = _outside(one, other, confidence)
    lower, upper = shifts[at], shifts[-1 - at]
    found = _classify(lower, upper, tolerance * abs(effect), worse)
    verdict = Verdict.PASSED if found is Classification.PASS else Verdict.FAILED
    return Ranks(verdict, found, effect, lower, upper)


def _values(series: Sequence[float]) -> list[float]:
    """Its numbers, MOST_VALUES of them at most, evenly over time."""
    found = [value for value in series if math.isfinite(value)]
    if len(found) <= MOST_VALUES:
        return found
    return [found[at * len(found) // MOST_VALUES] for at in range(MOST_VALUES)]


def _classify(lower: float, upper: float, margin: float, worse: Direction) -> Classification:
    if lower > margin and worse is not Direction.DECREASE:
        return Classification.HIGH
    if upper < -margin and worse is not Direction.INCREASE:
        return Classification.LOW
    return Classification.PASS


def _outside(one: list[float], other: list[float], confidence: float) -> int:
    """How many of the sorted shifts lie below the interval, and as many above."""
    m, n, tail = len(one), len(other), (1 - confidence) / 2
    if max(m, n) < _EXACT:
        # The least u that is reached with a probability of at least the tail (as R has it).
        return max(1, bisect_left(_distribution(m, n), tail)) - 1
    z = NormalDist().inv_cdf(1 - tail)
    spread = math.sqrt(m * n / 12 * (m + n + 1 - _ties(one + other)))
    return max(0, math.floor(m * n / 2 - z * spread - 0.5))


def _ties(values: list[float]) -> float:
    """What ties take of the variance: the sum of t^3 - t over t equal values, by N (N - 1)."""
    counts: dict[float, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    total = len(values)
    return sum(t**3 - t for t in counts.values()) / (total * (total - 1))


@cache
def _distribution(m: int, n: int) -> list[float]:
    """P(U <= u) for u = 0..mn without ties: the coefficients of Gauss's binomial in q."""
    counts = [1] + [0] * (m * n)
    for part in range(1, n + 1):
        for u in range(m * n, m + part - 1, -1):
            counts[u] -= counts[u - m - part]
        for u in range(part, m * n + 1):
            counts[u] += counts[u - part]
    total, so_far, found = math.comb(m + n, n), 0, []
    for count in counts:
        so_far += count
        found.append(so_far / total)
    return found


def score(
    found: Mapping[str, Ranks],
    weights: Mapping[str, float] | None = None,
    critical: Collection[str] = (),
) -> float | None:
    """0..100: the weight of series that passed among those with data; 0 where a critical one
    failed, None where there is nothing to say or a critical one has no data."""
    told = {key: one for key, one in found.items() if one.effect is not None}
    if not told or any(key not in told for key in critical):
        return None
    if any(told[key].verdict is Verdict.FAILED for key in critical):
        return 0.0
    weight = {key: (weights or {}).get(key, 1.0) for key in told}
    passed = sum(weight[key] for key, one in told.items() if one.verdict is Verdict.PASSED)
    return 100 * passed / total if (total := sum(weight.values())) else None
