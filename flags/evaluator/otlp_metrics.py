"""Metrics of OpenTelemetry: how many requests a version answered, how many failed, how long each
took. Deltas are counted here; cumulative points go up as they are, for whoever holds the point
before (ADR 45)."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from google.protobuf.message import DecodeError

from flags.channel.points import SECOND_NS, Layout, MetricSource, Point
from flags.channel.telemetry import AHEAD_BY_S, LATE_BY_S, SERVICE, WIDTH_S, BucketKey, Counts
from flags.engine.histogram import UNKNOWN, add_intervals
from flags.evaluator.body import BadBody
from flags.evaluator.entries import Rejected
from flags.evaluator.memory import CurrentEnvironment
from flags.evaluator.otlp_points import Decode, RawPoint, attributes_of_point, counts_of
from flags.evaluator.otlp_sources import (
    DURATIONS,
    MIXED,
    NEW,
    OLD,
    KnownSource,
    KnownSources,
    source_of,
    unit_of,
)
from flags.evaluator.otlp_wire import CUMULATIVE, DELTA, NOT_PROTOBUF, OTHER, Metric, Piece
from flags.evaluator.outcomes import FULL, Collector
from flags.evaluator.points import KnownSeries, PointCollector
from flags.evaluator.turns import SLICE_S

WANTED: Final = frozenset(DURATIONS)
WRONG: Final = (ValueError, TypeError, AttributeError, DecodeError)
# For so long after a source sent its metric under the new name, the old one says the same again.
SAID_TWICE_S: Final = 600

NOT_OTLP: Final = NOT_PROTOBUF.format("point of a histogram")
NO_HISTOGRAM: Final = "{} must be a histogram, explicit or exponential"
NO_TEMPORALITY: Final = "the temporality of a histogram must be delta or cumulative"
FUTURE: Final = f"the point is more than {AHEAD_BY_S} seconds ahead of the evaluator's clock"
PAST: Final = f"the point is more than {LATE_BY_S // 60} minutes old"
BACKWARDS: Final = "the point begins after it ends"
NAMES_OF: Final = {DELTA: "delta", CUMULATIVE: "cumulative"}


class MetricsReading:
    """What one request says. Nothing of it is counted until all of it was read."""

    def __init__(
        self,
        place: CurrentEnvironment,
        outcomes: Collector,
        points: PointCollector,
        known: KnownSources,
        decode: Mapping[str, Decode],
        most: int,
    ) -> None:
        self.place = place
        self.buckets: dict[BucketKey, Counts] = {}
        self.points: dict[MetricSource, list[tuple[KnownSeries, Point]]] = {}
        self.accepted, self.seen = 0, 0
        self.rejected: Counter[str] = Counter()
        self._outcomes, self._held = outcomes, points
        self._known, self._decode, self._most = known, decode, most
        self._metric: Metric | None = None
        self._reader: MetricReader | None = None
        self._refusal = ""

    async def read_all(
        self, pieces: Iterator[Piece | None], pause: Callable[[], Awaitable[None]]
    ) -> None:
        """Read every point; others get their turn in between. Raises BadBody."""
        clock = time.monotonic
        self._outcomes.turn(time.time())
        pause_at = clock() + SLICE_S
        for piece in _old_last(pieces):
            if piece is not None:
                reader = self._enter(*piece)
                for point in piece[1] if reader else ():
                    try:
                        reader.read(point)  # type: ignore[union-attr]
                    except Rejected as rejected:
                        self.rejected[str(rejected)] += 1
                    except WRONG:
                        raise BadBody(NOT_OTLP) from None
                    if clock() > pause_at:
                        await pause()
                        pause_at = clock() + SLICE_S
            if clock() > pause_at:
                await pause()
                pause_at = clock() + SLICE_S
        self._finish()
        self.accepted = self.seen - sum(self.rejected.values())

    def _finish(self) -> None:
        if self._reader is not None:
            self._reader.finish()

    def _enter(self, metric: Metric, points: Sequence[Any]) -> "MetricReader | None":
        """What reads these points; None where none of them can be."""
        self.seen += len(points)
        if self.seen > self._most:
            raise BadBody(f"a request has at most {self._most} points of requests", status=413)
        if metric is not self._metric:
            self._finish()
            self._metric, self._reader, self._refusal = metric, None, ""
            try:
                self._reader = self._reader_of(metric)
            except Rejected as rejected:
                self._refusal = str(rejected)
        if self._reader is None:
            self.rejected[self._refusal] += len(points)
        return self._reader

    def _reader_of(self, metric: Metric) -> "MetricReader":
        source = source_of(self.place, metric.owner.resource)
        if metric.kind == OTHER:
            raise Rejected(NO_HISTOGRAM.format(metric.name))
        if metric.temporality not in NAMES_OF:
            raise Rejected(NO_TEMPORALITY)
        refusal = self._outcomes.note((source[0], SERVICE, source[1], False), source[2])
        if refusal:
            raise Rejected(refusal)
        known = self._known.find(source, time.monotonic())
        return MetricReader(self, metric, source, known, self._decode[metric.kind])

    def counts_at(self, key: BucketKey) -> Counts:
        counts = self.buckets.get(key)
        if counts is None:
            refusal = self._outcomes.why_not(key)
            if refusal:
                raise Rejected(refusal)
            counts = self.buckets[key] = Counts()
        return counts

    def check_room(self, source: MetricSource, series: str) -> None:
        """Raises Rejected where a series of a source cannot be held."""
        points = self._held.points
        if points.is_full(source.environment_id) and not points.has(source, series):
            raise Rejected(FULL)

    def learn(self, known: KnownSource, metric: Metric, one: RawPoint) -> KnownSeries:
        return self._known.learn(known, metric, one.identity, attributes_of_point(one))


def _old_last(pieces: Iterator[Piece | None]) -> Iterator[Piece | None]:
    """What is under its old name after what is under its new one, which may be the same."""
    later: list[Piece] = []
    for piece in pieces:
        if piece is not None and piece[0].name == OLD:
            later.append(piece)
        else:
            yield piece
    yield from later


class MetricReader:
    """Reads points of one metric of one source."""

    def __init__(
        self,
        reading: MetricsReading,
        metric: Metric,
        source: MetricSource,
        known: KnownSource,
        decode: Decode,
    ) -> None:
        self._reading, self._metric, self._decode = reading, metric, decode
        self._source, self._known = source, known
        self._unit = unit_of(metric)
        self._is_delta = metric.temporality == DELTA
        now = time.time()
        self._oldest = int((now - LATE_BY_S) * SECOND_NS)
        self._newest = int((now + AHEAD_BY_S) * SECOND_NS)
        if metric.name == NEW:
            known.new_at = known.seen_at
        self._is_said_twice = metric.name == OLD and known.seen_at - known.new_at < SAID_TWICE_S
        self._series = known.series.setdefault((metric.owner.scope, metric.name), {})
        self._points = reading.points.setdefault(source, [])
        self._counts: dict[int, Counts] = {}
        # By where they count, and by what their buckets are.
        self._sums: dict[tuple[int, Layout], dict[int, int]] = {}

    def read(self, raw: Any) -> None:
        """Count one point, or nothing of it. Raises Rejected, and what decoding raises."""
        if self._is_said_twice:
            return
        one = self._decode(raw, self._unit)
        if one.is_empty:
            return
        self._check_times(one.start, one.time)
        layout, counts = counts_of(one, self._unit)
        known = self._series.get(one.identity)
        if known is None:
            known = self._reading.learn(self._known, self._metric, one)
        if known.temporality != self._metric.temporality:
            raise Rejected(MIXED.format(NAMES_OF[known.temporality]))
        point = Point(one.start, one.time, one.total, layout, counts)
        if self._is_delta:
            self._count(known, point)
            return
        self._reading.check_room(self._source, known.name)
        self._points.append((known, point))

    def _check_times(self, start: int, end: int) -> None:
        if start > end:
            raise Rejected(BACKWARDS)
        if end > self._newest:
            raise Rejected(FUTURE)
        if (start or end if self._is_delta else end) < self._oldest:
            raise Rejected(PAST)

    def _count(self, known: KnownSeries, point: Point) -> None:
        """Counted where it began: no step of a release may judge by what was before it."""
        total, times = point.total, (point.start, point.time)
        if not total or times in known.recent:
            return
        start = (point.start or point.time) // SECOND_NS // WIDTH_S * WIDTH_S
        counts = self._counts.get(start)
        if counts is None:
            about = (self._source[0], SERVICE, *self._source[1:3], False, start)
            counts = self._counts[start] = self._reading.counts_at(about)
        known.recent = times, *known.recent[:3]
        counts.requests += total
        if known.is_error:
            counts.errors += total
            if known.error_type:
                counts.fail(known.error_type, total)
        if not point.counts:
            add_intervals(counts.histogram, {UNKNOWN: total})
            return
        sums = self._sums.setdefault((start, point.layout), {})
        for bucket, count in point.counts.items():
            sums[bucket] = sums.get(bucket, 0) + count

    def finish(self) -> None:
        """Say how long all that was counted took: adding up buckets is less work by number."""
        for (start, layout), sums in self._sums.items():
            held = self._counts[start].histogram
            for bucket, count in sums.items():
                add_intervals(held, {layout.intervals[bucket]: count})
        self._sums.clear()
