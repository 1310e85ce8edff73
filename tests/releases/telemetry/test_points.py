"""Cumulative points: what was counted between two of them, whichever way they come, once."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, strategies as st

from flags.channel import POINTS, IntakeBatch, Sealer, SourceReport, points_in_slices, read_points
from flags.channel.intake import open_batch
from flags.channel.point_batches import SERIES_AT_ONCE, dump_series, load_series
from flags.channel.points import (
    MOST_STARTS,
    SECOND_NS,
    ZERO,
    Layout,
    MetricSource,
    Point,
    PointSeries,
    series_id,
)
from flags.delivery import intake
from flags.evaluator.intake_queue import minute_of
from flags.evaluator.points import KnownSeries, Points
from portal.access.models import Environment
from portal.lib import clock
from releases.engine.tally import Tally
from releases.telemetry import points, reading
from releases.telemetry.models import TelemetrySource, UnknownService
from releases.telemetry.points import SourceState
from tests.support import concurrently
from tests.support.releasing import a_service

CASES: Final = json.loads((Path(__file__).parents[2] / "cases" / "otlp_points.json").read_text())
SOURCE: Final = MetricSource(1, "checkout", "2.0", "one")


def point_of(start: float, time: float, total: int, layout: Any, counts: Any) -> Point:
    if isinstance(layout, dict):
        kind = Layout(layout["scale"], (layout.get("zero", 0.0), 1.0))
    else:
        kind = Layout(None, tuple(map(float, layout)))
    buckets = {ZERO if one == "zero" else int(one): count for one, count in counts.items()}
    return Point(int(start * SECOND_NS), int(time * SECOND_NS), total, kind, buckets)


def report(point: Point, name: str = "a", *, told_at: int = 1200) -> SourceReport:
    series = PointSeries(False, "", {point.start: point})
    return SourceReport(SOURCE, {series_id(name): series}, told_at)


@pytest.mark.parametrize("case", CASES, ids=[one["name"] for one in CASES])
def test_points__count_as_the_cases_say(case: dict[str, Any]) -> None:
    state, is_shared = SourceState(), False
    for start, time, total, layout, counts, *name in case["points"]:
        point = point_of(start, time, total, layout, counts)
        state.take(report(point, *name, told_at=case.get("told_at", 1200)))
        is_shared = is_shared or state.is_shared
    counted = {str(at): [one.requests, one.histogram] for at, one in state.counted.items()}
    assert counted == case["counted"]
    assert is_shared == case.get("is_shared", False)


def test_errors__count_with_their_type() -> None:
    state, at = SourceState(), 1000 * SECOND_NS
    layout = Layout(None, (100.0,))
    series = {
        series_id("a"): PointSeries(True, "Timeout", {at: Point(at, at + 1, 3, layout, {0: 3})}),
        series_id("b"): PointSeries(True, "", {at: Point(at, at + 1, 2, layout, {0: 2})}),
    }
    state.take(SourceReport(SOURCE, series, 1200))
    counts = state.counted[1000]
    assert (counts.requests, counts.errors, counts.error_types) == (5, 5, {"Timeout": 3})


grown = st.lists(st.dictionaries(st.integers(0, 3), st.integers(0, 50), max_size=3), max_size=6)
processes = st.lists(grown, min_size=1, max_size=4)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[tuple[str, Point]], list[list[tuple[str, Point]]]]:
    """Every last point of each start of each series, and all points as they come: flushes of
    evaluators, each of some points, in any order, some of them twice."""
    layout = Layout(None, (10.0, 20.0, 30.0))
    every: list[tuple[str, Point]] = []
    last: list[tuple[str, Point]] = []
    for number, growths in enumerate(draw(processes)):
        start, counts = (1_000 + number) * SECOND_NS, Counter[int]()
        for at, growth in enumerate(growths):
            counts.update(growth)
            held = {bucket: count for bucket, count in counts.items() if count}
            time = start + (at + 1) * 10 * SECOND_NS
            every.append((f"s{number % 2}", Point(start, time, counts.total(), layout, held)))
        if growths:
            last.append(every[-1])
    repeated = draw(st.lists(st.sampled_from(every), max_size=4)) if every else []
    shuffled = draw(st.permutations([*every, *repeated]))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=5)))
    edges = list(zip([0, *cuts], [*cuts, len(shuffled)], strict=True))
    return last, [shuffled[low:high] for low, high in edges]


@given(arrivals())
def test_the_sum__is_the_same_however_points_are_spread_over_evaluators_and_flushes(
    found: tuple[list[tuple[str, Point]], list[list[tuple[str, Point]]]],
) -> None:
    last, flushes = found
    state, sealer = SourceState(), Sealer(b"k" * 32)
    for flush in flushes:
        held = Points()
        for name, point in flush:
            held.add(SOURCE, KnownSeries(series_id(name), False, ""), point)
        merged = Points()
        assert merged.merge(held) == 0
        for count, content in merged.close().contents():
            sealed = IntakeBatch(POINTS, 1200, 1200, content, count).seal(sealer)
            batch = open_batch(POINTS, sealed, sealer)
            assert batch
            for one in read_points(batch):
                state.take(one)
                state.series = load_series(*json.loads(json.dumps(dump_series(state.series))))
    wanted, total = Counter[str](), 0
    for _name, point in last:
        total += point.total
        wanted.update({point.layout.intervals[one]: n for one, n in point.counts.items()})
    assert sum(one.requests for one in state.counted.values()) == total
    counted = Counter[str]()
    for counts in state.counted.values():
        counted.update(counts.histogram)
    assert counted == wanted


def test_more_processes_than_are_told_apart__count_too_little_and_never_too_much() -> None:
    layout, series, counted = Layout(None, ()), PointSeries(False, ""), 0
    for round_ in range(3):
        for process in range(MOST_STARTS + 10):
            at = (10_000 * round_ + process + 1) * SECOND_NS // 100
            point = Point(process, at, round_ + 1, layout, {})
            between = series.advance(point)
            counted += between.total if between else 0
    assert len(series.points) == MOST_STARTS
    assert series.is_shared
    assert MOST_STARTS * 3 <= counted <= (MOST_STARTS + 10) * 3


# Stored.


@pytest.fixture
def now() -> datetime:
    return clock.now()


def told(
    environment: Environment,
    now: datetime,
    total: int,
    *,
    ago_s: int = 0,
    service: str = "checkout",
    instance: str = "one",
    names: Iterable[str] = ("a",),
    start_s: int = 60,
) -> IntakeBatch:
    at = int(now.timestamp())
    source = MetricSource(environment.pk, service, "2.0", instance)
    held = Points()
    point = point_of(at - start_s, at - ago_s, total, [100], {"0": total})
    for name in names:
        held.add(source, KnownSeries(series_id(name), False, ""), point)
    ((count, content),) = held.contents()
    return IntakeBatch(POINTS, minute_of(at), at, content, count)


def tally(environment: Environment, now: datetime, since_s: int = 900) -> Tally:
    since, until = now - timedelta(seconds=since_s), now + timedelta(minutes=2)
    return reading.tally(environment, "service", "checkout", "2.0", since=since, until=until)


@pytest.mark.postgresql
@pytest.mark.django_db
def test_a_batch__is_stored_once_and_the_next_counts_from_it(
    production: Environment, now: datetime
) -> None:
    a_service(production.project)
    first, second = told(production, now, 7, ago_s=10), told(production, now, 9)
    for batch in (first, first, second, second, first):
        intake.take(POINTS, [batch], now=now)
    found = tally(production, now)
    assert (found.requests, found.histogram) == (9, {"0:100": 9})
    assert tally(production, now, since_s=20).requests == 2


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_workers__that_get_points_of_one_source__count_each_once(
    production: Environment, now: datetime
) -> None:
    a_service(production.project)
    batches = [told(production, now, number + 1, ago_s=30 - number) for number in range(10)]
    concurrently.run(
        lambda: [intake.take(POINTS, [one], now=now) for one in batches[::2]],
        lambda: [intake.take(POINTS, [one], now=now) for one in reversed(batches[1::2])],
    )
    assert tally(production, now).requests == 10


@pytest.mark.django_db
def test_services_that_there_are_not__are_kept_by_name_and_have_no_sources(
    production: Environment, now: datetime
) -> None:
    batch = told(production, now, 7, service="chekout")
    intake.take(POINTS, [batch], now=now)
    assert [one.name for one in UnknownService.objects.all()] == ["chekout"]
    assert not TelemetrySource.objects.exists()


@pytest.mark.django_db
def test_sources_and_series__are_bounded_and_the_idlest_make_room(
    production: Environment, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = a_service(production.project)
    monkeypatch.setattr(points, "MOST_SOURCES", 3)
    monkeypatch.setattr(points, "MOST_SERIES", 2)
    names = ["one", "two", "three", "four"]
    batches = [told(production, now, 5, instance=name) for name in names]
    assert points.store([one for batch in batches for one in read_points(batch)], now) == 1
    assert TelemetrySource.objects.count() == 3
    later = now + timedelta(minutes=11)
    TelemetrySource.objects.exclude(instance="one").update(seen_at=later)
    left = told(production, later, 5, instance="four", names="abc")
    assert points.store(list(read_points(left)), later) == 0
    assert set(TelemetrySource.objects.values_list("instance", flat=True)) - {"one"} != set()
    (warned,) = reading.warnings(service, now=later)
    assert (warned.is_shared, warned.instances) == (False, 1)
    series = json.loads(TelemetrySource.objects.get(crowded_at=later).series)
    assert len(series[1]) == 2


@pytest.mark.django_db
def test_what_is_gone__is_counted_as_such(production: Environment, now: datetime) -> None:
    nowhere = Environment(pk=10**9, project=production.project, key="nowhere")
    batch = told(nowhere, now, 5, names="ab")
    assert points.store(list(read_points(batch)), now) == 2


def test_a_large_batch__falls_into_the_same_parts_whenever_it_comes(
    production_like: Environment, now: datetime
) -> None:
    names = [str(number) for number in range(2 * SERIES_AT_ONCE + 5)]
    batch = told(production_like, now, 5, names=names)
    once, again = list(points_in_slices([batch])), list(points_in_slices([batch]))
    assert once == again
    parts = [part for some in once for _id, part in some]
    assert len({part.id for part in parts}) == len(parts) == 3
    assert sum(part.count for part in parts) == batch.count
    found = [name for part in parts for one in read_points(part) for name in one.series]
    assert sorted(found) == sorted(map(series_id, names))


@pytest.fixture
def production_like() -> Environment:
    return Environment(pk=1)


BROKEN: Final[list[Any]] = [
    7,
    [7],
    [[1, "checkout", "2.0", "one", [], 7]],
    [[1, "", "2.0", "one", [], []]],
    [[1, "checkout", "2.0", "one", [], [["x", False, "", False, []]]]],
    [[1, "checkout", "2.0", "one", [[None]], [["0" * 16, 1, "", False, []]]]],
    [[1, "checkout", "2.0", "one", [[9, 0, 1]], [["0" * 16, True, "", False, []]]]],
    [[1, "checkout", "2.0", "one", [[None]], [["0" * 16, True, "", False, [[5, 4, 1, 0, []]]]]]],
    [[1, "checkout", "2.0", "one", [[None]], [["0" * 16, True, "", False, [[1, 4, -1, 0, []]]]]]],
    [[1, "checkout", "2.0", "one", [[None]], [["0" * 16, True, "", False, [[1, 4, 1, 0, [1]]]]]]],
    [
        [
            1,
            "checkout",
            "2.0",
            "one",
            [[None]],
            [["0" * 16, True, "", False, [[1, 2**62, 1, 0, []]]]],
        ]
    ],
]


@pytest.mark.parametrize("content", BROKEN)
def test_what_no_evaluator_writes__is_refused(content: Any) -> None:
    batch = IntakeBatch(POINTS, 1200, 1200, content, 1)
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        list(read_points(batch))
    assert list(points_in_slices([batch]))
