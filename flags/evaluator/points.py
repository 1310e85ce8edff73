"""Cumulative points as they wait, in memory: the newest of each series, in each minute.

Memory goes with series, and not with how often they are sent.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson

from flags.channel.point_batches import SourceReport, write_points
from flags.channel.points import MetricSource, Point, PointSeries
from flags.evaluator.outcomes import ClosedMinute

MOST_BYTES: Final = 64 * 2**20
MOST_BYTES_OF: Final = 40 * 2**20
"""Of the series of one environment."""

SourceSeries = dict[str, PointSeries]


@dataclass(slots=True)
class KnownSeries:
    """What a series counts; ``temporality`` is how it was sent lately, and ``recent`` the last few
    deltas, by start and time, which may come again."""

    name: str
    is_error: bool
    error_type: str
    temporality: int = 0
    recent: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Points:
    sources: dict[MetricSource, SourceSeries] = field(default_factory=dict)
    bytes_of: Counter[int] = field(default_factory=Counter)
    size: int = 0
    count: int = 0

    def is_full(self, environment_id: int) -> bool:
        return self.size >= MOST_BYTES or self.bytes_of[environment_id] >= MOST_BYTES_OF

    def has(self, source: MetricSource, series: str) -> bool:
        held = self.sources.get(source)
        return held is not None and series in held

    def add(self, source: MetricSource, known: KnownSeries, point: Point) -> None:
        held = self.sources.get(source)
        if held is None:
            held = self.sources[source] = {}
        series = held.get(known.name)
        if series is None:
            series = held[known.name] = PointSeries(known.is_error, known.error_type)
            self._grow(source, 400)
        before = len(series.points)
        if series.hold(point) and len(series.points) != before:
            self._grow(source, 250 + 60 * len(point.counts))
            self.count += len(series.points) - before

    def _grow(self, source: MetricSource, size: int) -> None:
        self.bytes_of[source.environment_id] += size
        self.size += size

    def merge(self, newer: "Points") -> int:
        lost = 0
        for source, series in newer.sources.items():
            for name, one in series.items():
                if self.is_full(source.environment_id) and not self.has(source, name):
                    lost += len(one.points)
                    continue
                known = KnownSeries(name, one.is_error, one.error_type)
                for point in one.points.values():
                    self.add(source, known, point)
                if one.is_shared:
                    self.sources[source][name].is_shared = True
        return lost

    def weigh(self) -> tuple[int, int]:
        return self.count, self.size

    def close(self) -> ClosedMinute:
        return ClosedMinute([(count, orjson.dumps(rows)) for count, rows in self.contents()])

    def contents(self) -> Iterator[tuple[int, object]]:
        return write_points(SourceReport(*one) for one in self.sources.items())


@dataclass(slots=True)
class PointCollector:
    points: Points = field(default_factory=Points)

    def take(self) -> Points:
        taken, self.points = self.points, Points()
        return taken
