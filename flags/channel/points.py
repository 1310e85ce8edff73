"""Cumulative points: what a process has counted since its start, as OpenTelemetry sends it.

What counts is the difference to the point before, which another evaluator may have got. So points
go up as they are, the newest of each series, and the worker holds the one before (ADR 45). Here is
what both sides do with them: which of two is newer, and what was counted in between.

Times are in nanoseconds since 1970, durations in milliseconds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from flags.channel.telemetry import LATE_BY_S
from flags.engine.histogram import UNKNOWN, write_interval

SECOND_NS: Final = 10**9
# Of exponential histograms: the bucket of 0, which has no place among the others.
ZERO: Final = -(10**6)
# The upper end of the interval that holds what took no time.
LEAST_MS: Final = 1e-6
# A finer one is merged: buckets of 2.2 % say more than anybody asks, and are fewer.
MOST_SCALE: Final = 5
# How many starts of one series are told apart: processes that share its name.
MOST_STARTS: Final = 32
# A lower count than before, of the same start, is believed once nothing higher came for so long.
LOWER_AFTER_NS: Final = 300 * SECOND_NS
STARTS_KEPT_NS: Final = 2 * LATE_BY_S * SECOND_NS


class MetricSource(NamedTuple):
    """Who sends: one instance of one version. The instance is empty where it has no id."""

    environment_id: int
    service: str
    version: str
    instance: str


class Intervals(dict[int, str]):
    """The interval of each bucket, written when it is first wanted."""

    def __init__(self, scale: int | None, bounds: tuple[float, ...]) -> None:
        super().__init__()
        self._scale, self._bounds = scale, bounds

    def __missing__(self, bucket: int) -> str:
        write = self._explicit if self._scale is None else self._exponential
        found = self[bucket] = write(bucket)
        return found

    def _explicit(self, bucket: int) -> str:
        bounds = self._bounds
        low = bounds[bucket - 1] if bucket else 0.0
        high = bounds[bucket] if bucket < len(bounds) else math.inf
        return write_interval(max(low, 0.0), max(high, LEAST_MS))

    def _exponential(self, bucket: int) -> str:
        threshold, unit = self._bounds
        if bucket == ZERO:
            return write_interval(0.0, max(threshold, LEAST_MS))
        step = 2.0 ** -(self._scale or 0)
        low, high = (unit * _power(at * step) for at in (bucket, bucket + 1))
        return write_interval(low, high) if low < high else UNKNOWN


class Layout:
    """What the buckets of a histogram are. Of an explicit one, ``scale`` is None and ``bounds`` its
    bounds; of an exponential one, ``bounds`` are its threshold of zero, and its unit."""

    __slots__ = ("_hash", "bounds", "intervals", "scale")

    def __init__(self, scale: int | None, bounds: tuple[float, ...]) -> None:
        self.scale, self.bounds = scale, bounds
        self._hash = hash((scale, bounds))
        self.intervals = Intervals(scale, bounds)

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Layout):
            return self is other
        return self.scale == other.scale and self.bounds == other.bounds

    def __hash__(self) -> int:
        return self._hash

    def at_scale(self, scale: int) -> "Layout":
        return Layout(scale, self.bounds)


class Point(NamedTuple):
    """All that was counted from ``start`` to ``time``; ``counts`` by number of the bucket."""

    start: int
    time: int
    total: int
    layout: Layout
    counts: Mapping[int, int]


def _power(exponent: float) -> float:
    return 2.0**exponent if exponent < 1000 else math.inf


def at_scale(counts: Mapping[int, int], shift: int) -> Mapping[int, int]:
    """Buckets of an exponential histogram, merged by 2 to the power of ``shift``."""
    if not shift:
        return counts
    merged: dict[int, int] = {}
    for bucket, count in counts.items():
        place = bucket if bucket == ZERO else bucket >> shift
        merged[place] = merged.get(place, 0) + count
    return merged


def intervals_of(point: Point) -> dict[str, int]:
    """How many durations were in which interval; unknown where a point has no buckets."""
    if not point.counts:
        return {UNKNOWN: point.total} if point.total else {}
    found: dict[str, int] = {}
    intervals = point.layout.intervals
    for bucket, count in point.counts.items():
        interval = intervals[bucket]
        found[interval] = found.get(interval, 0) + count
    return found


def goes_on(old: Point, new: Point) -> bool:
    """Whether a later point of a start has counted no less than an earlier one."""
    if new.total < old.total:
        return False
    before, counts = old.counts, new.counts
    if old.layout is not new.layout and old.layout != new.layout:
        both = _alike(old, new)
        if both is None:
            return True
        before, counts = both[1:]
    get = counts.get
    for bucket, number in before.items():  # noqa: SIM110 - this is done 50,000 times a second
        if get(bucket, 0) < number:
            return False
    return True


def counted_between(old: Point, new: Point) -> Point:
    """What was counted from one point of a start to a later one, which goes on from it.

    Where the bounds changed, how long it took is unknown, and how many there were is not.
    """
    both = _alike(old, new)
    if both is None:
        return Point(old.time, new.time, new.total - old.total, new.layout, {})
    layout, before, counts = both
    more = {bucket: number - before.get(bucket, 0) for bucket, number in counts.items()}
    more = {bucket: number for bucket, number in more.items() if number}
    return Point(old.time, new.time, new.total - old.total, layout, more)


def _alike(old: Point, new: Point) -> tuple[Layout, Mapping[int, int], Mapping[int, int]] | None:
    """The buckets of both, of one layout; None where there is none: the bounds changed. Those of
    exponential histograms are merged to the lower scale."""
    mine, theirs = new.layout, old.layout
    if mine == theirs:
        return mine, old.counts, new.counts
    if mine.scale is None or theirs.scale is None or mine.bounds != theirs.bounds:
        return None
    scale = min(mine.scale, theirs.scale)
    before = at_scale(old.counts, theirs.scale - scale)
    return mine.at_scale(scale), before, at_scale(new.counts, mine.scale - scale)


@dataclass(slots=True)
class PointSeries:
    """One series of a source: what its points count, and the newest of each start.

    ``is_shared`` says that several processes send it: counts that go down, or starts that take
    turns.
    """

    is_error: bool
    error_type: str
    points: dict[int, Point] = field(default_factory=dict)
    is_shared: bool = False

    def empty(self) -> "PointSeries":
        return PointSeries(self.is_error, self.error_type)

    def advance(self, point: Point) -> Point | None:
        """Take in a point; returns what was counted since the last of its start, all of it where
        there was none, and None where it says nothing new. In any order, and any number of times.
        """
        last = self.points.get(point.start)
        if not self.hold(point):
            return None
        return point if last is None else counted_between(last, point)

    def hold(self, point: Point) -> bool:
        """The same, for who need not know what was counted: whether it says something new."""
        held = self.points
        last = held.get(point.start)
        if last is not None and point.time <= last.time:
            return False
        # An earlier start goes on although a later one was there: both are running.
        if (last is None or len(held) > 1) and any(
            one.start > point.start and one.time < point.time for one in held.values()
        ):
            self.is_shared = True
        if last is None:
            return self._begin(point)
        if goes_on(last, point):
            held[point.start] = point
            return True
        self.is_shared = True
        if point.time - last.time > LOWER_AFTER_NS:
            held[point.start] = point
        return False

    def _begin(self, point: Point) -> bool:
        held = self.points
        if held:
            newest = max(one.time for one in held.values())
            for start in [one.start for one in held.values() if one.time < newest - STARTS_KEPT_NS]:
                del held[start]
            if len(held) >= MOST_STARTS:
                self.is_shared = True
                if point.start < min(held):
                    return False
                del held[min(held)]
        held[point.start] = point
        return True

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        size = 400
        for one in self.points.values():
            size += 250 + 60 * len(one.counts)
        return size


def series_id(*names: object) -> str:
    """What stands for a series' scope, metric and attributes, the same in every evaluator."""
    return blake2b(orjson.dumps(names), digest_size=8).hexdigest()
