"""Durations of which only intervals are known, as of histograms: so many were in (low, high].

An interval is written ``low:high``, in milliseconds, both to nine digits, with ``inf`` for no upper
end. Counts of different bounds stand beside each other: nothing is moved from one interval to
another, so that what is said of all of them stays true whatever bounds they came with.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from flags.engine.sketch import Sketch, value_of

Interval = tuple[float, float]
UNKNOWN: Final = "0:inf"
# Of one bucket of outcomes, or of one look at many; all others count as unknown.
MOST_INTERVALS: Final = 1_000


def write_interval(low: float, high: float) -> str:
    return f"{low:.9g}:{high:.9g}"


@lru_cache(maxsize=50_000)
def read_interval(text: str) -> Interval:
    """Raises ValueError for anything that write_interval does not write."""
    low, colon, high = text.partition(":")
    found = float(low), float(high)
    if not colon or not 0 <= found[0] < found[1]:
        raise ValueError("no interval")
    return found


def add_intervals(held: dict[str, int], more: Mapping[str, int]) -> None:
    for interval, count in more.items():
        if interval not in held and len(held) >= MOST_INTERVALS:
            interval = UNKNOWN
        held[interval] = held.get(interval, 0) + count


def quantile_between(sketch: Sketch, histogram: Mapping[str, int], share: float) -> Interval | None:
    """Between which two values the quantile lies, in milliseconds; None of nothing.

    Every duration may be as short as its interval's lower end, and as long as its upper one: the
    value at a rank is at least the lower end at that rank, and at most the upper end at it. Both
    are the sketch's value, within its error, where all durations are in the sketch.
    """
    known = [(value_of(bucket), count) for bucket, count in sketch.counts.items()]
    ends = [(read_interval(text), count) for text, count in histogram.items()]
    total = sum(count for _value, count in known) + sum(histogram.values())
    if not total:
        return None
    rank = max(1, math.ceil(share * total - 1e-9))
    lows = known + [(low, count) for (low, _high), count in ends]
    highs = known + [(high, count) for (_low, high), count in ends]
    return _at_rank(lows, rank), _at_rank(highs, rank)


def _at_rank(values: Iterable[tuple[float, int]], rank: int) -> float:
    for value, count in sorted(values):
        rank -= count
        if rank <= 0:
            return value
    raise AssertionError("the rank is one of theirs")


def slower_than(sketch: Sketch, histogram: Mapping[str, int], limit: float) -> tuple[int, int]:
    """How many durations took longer than ``limit`` milliseconds: at least, and at most.

    The two are the same where the limit is a bound of every histogram.
    """
    known = sum(count for bucket, count in sketch.counts.items() if value_of(bucket) > limit)
    least = most = known
    for text, count in histogram.items():
        low, high = read_interval(text)
        least += count if low >= limit else 0
        most += count if high > limit else 0
    return least, most


def limit_of_all(histograms: Iterable[Mapping[str, int]], limit: float) -> float:
    """The least limit, at or above one, within no interval of any of these histograms, so that all
    of them say exactly how many took longer; ``inf`` where there is none. What nobody knows about
    is left out."""
    ends = {read_interval(text) for one in histograms for text in one if text != UNKNOWN}
    for low, high in sorted(ends):
        if low < limit < high:
            limit = high
    return limit if all(not low < limit < high for low, high in ends) else math.inf


def slow_among(histogram: Mapping[str, int], limit: float) -> tuple[int, int]:
    """How many there are of which something is known, and how many are above a limit that is within
    no interval."""
    known = {text: count for text, count in histogram.items() if text != UNKNOWN}
    slow = sum(count for text, count in known.items() if read_interval(text)[0] >= limit)
    return sum(known.values()), slow
