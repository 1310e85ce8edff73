"""Cumulative points as they travel: by source, each series with the newest point of each start."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final

from flags.channel.intake import MINUTE_S, IntakeBatch
from flags.channel.points import MOST_SCALE, SECOND_NS, Layout, MetricSource, Point, PointSeries
from flags.channel.telemetry import (
    AHEAD_BY_S,
    MAX_ERROR_TYPE_CHARS,
    MAX_NAME_CHARS,
    MAX_VERSION_CHARS,
    read_text,
    read_whole,
)

LEAST_SCALE: Final = -10
MOST_BUCKETS: Final = 1_000
MAX_INSTANCE_CHARS: Final = 200
# Storing them holds the database for about a tenth of a second.
SERIES_AT_ONCE: Final = 1_000
_BATCH_BYTES: Final = 512 * 1024
_ID: Final = re.compile("[0-9a-f]{16}")


@dataclass(slots=True)
class SourceReport:
    """The newest points of a source, by the ids of their series. ``told_at`` is in Unix seconds."""

    source: MetricSource
    series: dict[str, PointSeries]
    told_at: int = 0


def write_points(reports: Iterable[SourceReport]) -> Iterator[tuple[int, list[list[Any]]]]:
    rows, size, points = list[list[Any]](), 0, 0
    for report in reports:
        layouts: dict[Layout, int] = {}
        series: list[list[Any]] = []
        for name, one in report.series.items():
            series.append(_series_row(name, one, layouts))
            size += one.weight // 3
            points += len(one.points)
            if size > _BATCH_BYTES:
                yield points, [*rows, [*report.source, _layout_rows(layouts), series]]
                rows, size, points, series, layouts = [], 0, 0, [], {}
        if series:
            rows.append([*report.source, _layout_rows(layouts), series])
    if rows:
        yield points, rows


def _series_row(name: str, one: PointSeries, layouts: dict[Layout, int]) -> list[Any]:
    points = [_point_row(point, layouts) for point in one.points.values()]
    return [name, one.is_error, one.error_type, one.is_shared, points]


def _point_row(point: Point, layouts: dict[Layout, int]) -> list[Any]:
    counts = [number for pair in point.counts.items() for number in pair]
    layout = layouts.setdefault(point.layout, len(layouts))
    return [point.start, point.time, point.total, layout, counts]


def _layout_rows(layouts: Iterable[Layout]) -> list[list[Any]]:
    return [[one.scale, *one.bounds] for one in layouts]


def dump_series(series: Mapping[str, PointSeries]) -> list[Any]:
    """PointSeries as the worker keeps them; the same rows as travel."""
    layouts: dict[Layout, int] = {}
    rows = [_series_row(name, one, layouts) for name, one in series.items()]
    return [_layout_rows(layouts), rows]


def load_series(layout_rows: Any, rows: Any) -> dict[str, PointSeries]:
    """Raises ValueError or TypeError for what dump_series and write_points do not write."""
    layouts = [_read_layout(*row) for row in layout_rows]
    found: dict[str, PointSeries] = {}
    for name, is_error, error_type, is_shared, points in rows:
        if not _ID.fullmatch(name) or type(is_error) is not bool or type(is_shared) is not bool:
            raise ValueError("no series")
        kind = read_text(error_type, MAX_ERROR_TYPE_CHARS) if error_type else ""
        held = [_read_point(layouts, *row) for row in points]
        found[name] = PointSeries(is_error, kind, {one.start: one for one in held}, is_shared)
    return found


def _read_layout(scale: int | None, *bounds: float) -> Layout:
    if scale is not None and not LEAST_SCALE <= scale <= MOST_SCALE:
        raise ValueError("no scale")
    if len(bounds) > MOST_BUCKETS or (scale is not None and len(bounds) != 2):
        raise ValueError("no bounds")
    return Layout(scale, tuple(map(float, bounds)))


def _read_point(
    layouts: list[Layout], start: int, time: int, count: int, layout: int, counts: list[int]
) -> Point:
    if type(start) is not int or type(time) is not int or not 0 <= start <= time:
        raise ValueError("no time")
    pairs = dict(zip(counts[::2], map(read_whole, counts[1::2]), strict=True))
    if not all(type(bucket) is int for bucket in pairs):
        raise ValueError("no bucket")
    return Point(start, time, read_whole(count), layouts[layout], pairs)


def read_points(batch: IntakeBatch) -> Iterator[SourceReport]:
    """Raises ValueError or TypeError for what no evaluator writes."""
    latest = (batch.minute + 2 * AHEAD_BY_S + MINUTE_S) * SECOND_NS
    for environment_id, service, version, instance, layouts, rows in batch.content:
        names = read_text(service, MAX_NAME_CHARS), read_text(version, MAX_VERSION_CHARS)
        name = read_text(instance, MAX_INSTANCE_CHARS) if instance else ""
        series = load_series(layouts, rows)
        times = [point.time for one in series.values() for point in one.points.values()]
        if times and max(times) > latest:
            raise ValueError("a point of another time")
        yield SourceReport(
            MetricSource(read_whole(environment_id), *names, name), series, batch.minute
        )


def points_in_slices(
    batches: Iterable[IntakeBatch],
) -> Iterator[list[tuple[str, IntakeBatch]]]:
    """What may be stored at once: parts of batches, each with an id of its own.

    A batch falls into the same parts whenever it comes, so that each can be stored once.
    """
    found: list[tuple[str, IntakeBatch]] = []
    held = 0
    for batch in batches:
        for part, series in _parts_of(batch):
            if found and held + series > SERIES_AT_ONCE:
                yield found
                found, held = [], 0
            found.append((batch.id, part))
            held += series
    if found:
        yield found


def _parts_of(batch: IntakeBatch) -> Iterator[tuple[IntakeBatch, int]]:
    rows = batch.content
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        yield batch, 0
        return
    parts: list[tuple[list[Any], int]] = [([], 0)]
    for *about, series in rows:
        for at in range(0, len(series), SERIES_AT_ONCE):
            some = series[at : at + SERIES_AT_ONCE]
            part, held = parts[-1]
            if held + len(some) > SERIES_AT_ONCE:
                part, held = [], 0
                parts.append((part, held))
            part.append([*about, some])
            parts[-1] = part, held + len(some)
    if len(parts) == 1:
        yield batch, parts[0][1]
        return
    count, dropped = batch.count, batch.dropped
    for number, (part, held) in enumerate(parts):
        own = blake2b(f"{batch.id} {number}".encode(), digest_size=16).hexdigest()
        yield replace(batch, id=own, content=part, count=count, dropped=dropped), held
        count = dropped = 0  # said once


def _is_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 6 and isinstance(row[5], list)
