"""Cumulative points that evaluators got: what was counted since the point before (ADR 45).

Of each source that sends them the last point of each of its series is kept, in one row, and changed
under its lock. Points come in any order, from any evaluator, and maybe twice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson

from flags.channel import SourceReport, ToldCounts
from flags.channel.point_batches import dump_series, load_series
from flags.channel.points import SECOND_NS, MetricSource, Point, PointSeries, intervals_of
from flags.channel.telemetry import LATE_BY_S, SERVICE, WIDTH_S, Counts
from portal.access.models import Environment
from releases.catalogue.models import Service
from releases.telemetry import storing
from releases.telemetry.models import TelemetrySource

FORGOTTEN_AFTER: Final = timedelta(days=1)
MOST_SOURCES: Final = 5_000
"""Of an environment."""
MOST_SERIES: Final = 4_000
"""Of a source."""
MOST_EXPORTS: Final = 64
# What one export sends has about one time.
SAME_EXPORT_NS: Final = SECOND_NS


def store(reports: Collection[SourceReport], now: datetime) -> int:
    """Count what is new in them; returns how many points were of what is gone."""
    known = _known({one.source for one in reports})
    told: list[ToldCounts] = []
    found: dict[MetricSource, list[SourceReport]] = {}
    for report in reports:
        if report.source in known:
            found.setdefault(report.source, []).append(report)
        else:
            told.append(_unknown(report))
    rows = _locked(found, now)
    lost = sum(_points_in(one) for source in found.keys() - rows.keys() for one in found[source])
    for source, row in rows.items():
        told += _advance(row, found[source], now)
    return lost + (storing.store(told, now) if told else 0)


def _known(sources: Iterable[MetricSource]) -> set[MetricSource]:
    """Those of services that there are."""
    wanted = list(sources)
    places = Environment.objects.in_bulk({one.environment_id for one in wanted})
    services = Service.objects.filter(
        project__in={one.project_id for one in places.values()},
        key__in={one.service for one in wanted},
    )
    there = set(services.values_list("project", "key"))
    projects = {pk: place.project_id for pk, place in places.items()}
    return {one for one in wanted if (projects.get(one.environment_id), one.service) in there}


def _unknown(report: SourceReport) -> ToldCounts:
    """So that the page of services can say that it came."""
    source, start = report.source, report.told_at // WIDTH_S * WIDTH_S
    place = (source.environment_id, SERVICE, source.service, source.version, False, start)
    return ToldCounts(place, Counts(_points_in(report)))


def _points_in(report: SourceReport) -> int:
    return sum(len(one.points) for one in report.series.values())


def _locked(
    sources: Collection[MetricSource], now: datetime
) -> dict[MetricSource, TelemetrySource]:
    """The rows of these, locked in one order; made where there are none, up to a number."""
    absent = set(sources) - _rows(sources).keys()
    if absent:
        _make(sorted(absent), now)
    return _rows(sources, lock=True)


def _rows(
    sources: Collection[MetricSource], *, lock: bool = False
) -> dict[MetricSource, TelemetrySource]:
    if not sources:
        return {}
    environments, services, versions, instances = map(set, zip(*sources, strict=True))
    rows = TelemetrySource.objects.filter(
        environment__in=environments,
        service__in=services,
        version__in=versions,
        instance__in=instances,
    ).order_by("pk")
    rows = rows.select_for_update() if lock else rows.defer("series", "exports")
    found = {
        MetricSource(one.environment_id, one.service, one.version, one.instance): one
        for one in rows
    }
    return {source: row for source, row in found.items() if source in sources}


def _make(absent: Collection[MetricSource], now: datetime) -> None:
    new = []
    for environment_id in sorted({one.environment_id for one in absent}):
        held = TelemetrySource.objects.filter(environment=environment_id)
        wanted = [one for one in absent if one.environment_id == environment_id]
        room = MOST_SOURCES - held.count()
        if room < len(wanted):
            idle = held.filter(seen_at__lt=now - timedelta(minutes=10)).order_by("seen_at")
            gone = list(idle.values_list("pk", flat=True)[: len(wanted) - max(room, 0)])
            TelemetrySource.objects.filter(pk__in=gone).delete()
            room += len(gone)
        new += [
            TelemetrySource(
                environment_id=environment_id,
                service=one.service,
                version=one.version,
                instance=one.instance,
                seen_at=now,
            )
            for one in wanted[: max(room, 0)]
        ]
    TelemetrySource.objects.bulk_create(new, ignore_conflicts=True)


def _advance(
    row: TelemetrySource, reports: Iterable[SourceReport], now: datetime
) -> list[ToldCounts]:
    state = SourceState.load(row)
    for report in reports:
        state.take(report)
    row.series = orjson.dumps(dump_series(state.series)).decode()
    row.exports = {str(start): times for start, times in state.exports.items()}
    row.seen_at = now
    if state.is_shared:
        row.shared_at = now
    if state.is_crowded:
        row.crowded_at = now
    row.save(update_fields=["series", "exports", "seen_at", "shared_at", "crowded_at"])
    about = (row.environment_id, SERVICE, row.service, row.version, False)
    return [ToldCounts((*about, start), counts) for start, counts in state.counted.items()]


@dataclass(slots=True)
class SourceState:
    """What is known of a source, and what of it was counted now, by the start of its bucket."""

    series: dict[str, PointSeries] = field(default_factory=dict)
    # By start: when something was last exported, and when before that.
    exports: dict[int, tuple[int, int]] = field(default_factory=dict)
    counted: dict[int, Counts] = field(default_factory=dict)
    is_shared: bool = False
    is_crowded: bool = False

    @classmethod
    def load(cls, row: TelemetrySource) -> "SourceState":
        exports = {int(start): (last, before) for start, (last, before) in row.exports.items()}
        return cls(load_series(*orjson.loads(row.series)), exports)

    def take(self, report: SourceReport) -> None:
        """Counted where it began, and not at all where that is longer ago than anything may be."""
        oldest = (report.told_at - LATE_BY_S) * SECOND_NS
        for name, told in report.series.items():
            held = self.series.get(name)
            if held is None and len(self.series) >= MOST_SERIES:
                self.is_crowded = True
                continue
            if held is None:
                held = self.series[name] = told.empty()
            held.is_shared = told.is_shared
            for point in sorted(told.points.values()):
                self._count(held, point, oldest)
            self.is_shared = self.is_shared or held.is_shared
            held.is_shared = False
        self._note_exports(report.series)

    def _count(self, series: PointSeries, point: Point, oldest: int) -> None:
        is_first = point.start not in series.points
        between = series.advance(point)
        if between is None or not between.total:
            return
        began = between.start
        if is_first:
            began = max(began, self._exported_before(point))
        if began < oldest:
            return
        bucket = began // SECOND_NS // WIDTH_S * WIDTH_S
        counts = self.counted.setdefault(bucket, Counts())
        errors = between.total if series.is_error else 0
        types = {series.error_type: errors} if errors and series.error_type else {}
        counts.merge(Counts(between.total, errors, 0, 0.0, {}, types, intervals_of(between)))

    def _exported_before(self, point: Point) -> int:
        """When its source last sent something without this series: it began after that."""
        earlier = self.exports.get(point.start, (0, 0))
        return max((at for at in earlier if at < point.time - SAME_EXPORT_NS), default=0)

    def _note_exports(self, series: Mapping[str, PointSeries]) -> None:
        for one in series.values():
            for point in one.points.values():
                last, before = self.exports.get(point.start, (0, 0))
                if point.time > last + SAME_EXPORT_NS:
                    self.exports[point.start] = point.time, last
                elif before + SAME_EXPORT_NS < point.time < last - SAME_EXPORT_NS:
                    self.exports[point.start] = last, point.time
        while len(self.exports) > MOST_EXPORTS:
            del self.exports[min(self.exports, key=self.exports.__getitem__)]


def forget(*, now: datetime) -> None:
    TelemetrySource.objects.filter(seen_at__lt=now - FORGOTTEN_AFTER).delete()
