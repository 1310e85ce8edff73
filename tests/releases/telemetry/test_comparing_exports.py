"""Two versions that export once a minute, each at its own second, compared."""

from datetime import UTC, datetime, timedelta

import pytest

from flags.channel import ToldCounts
from flags.channel.telemetry import Counts
from flags.engine.sketch import bucket_of
from portal.access.models import Environment
from releases.telemetry import comparing, storing
from tests.support.releasing import a_service

pytestmark = pytest.mark.django_db
AT = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
def pair(production: Environment) -> comparing.Pair:
    a_service(production.project)
    return comparing.Pair(production, "service", "checkout", "2.0", "1.0")


def export(pair: comparing.Pair, version: str, began_s: int, every_s: int, counts: Counts) -> None:
    """Told a few seconds after it was exported."""
    key = (pair.environment.pk, "service", "checkout", version, False)
    start = int(AT.timestamp()) + began_s // 10 * 10
    told_at = AT + timedelta(seconds=began_s + every_s + 4)
    storing.store([ToldCounts((*key, start), counts)], told_at)


def of(histogram: dict[str, int], errors: int = 0) -> Counts:
    return Counts(sum(histogram.values()), errors, histogram=histogram)


def test_versions_that_export_once_a_minute__meet_in_windows_of_a_minute(
    pair: comparing.Pair,
) -> None:
    for minute in range(5):
        began = 60 * minute
        export(pair, "2.0", began + 5, 60, of({"100:250": 50, "250:500": minute}, minute))
        export(pair, "1.0", began + 35, 60, of({"100:250": 900, "250:500": 9}, 9))
    now = AT + timedelta(minutes=6)
    lateness = comparing.lateness_of(pair, now)
    assert timedelta(seconds=60) < lateness < timedelta(seconds=80)
    width = comparing.width_for(lateness)
    assert width == timedelta(minutes=1)
    rows = comparing.rows_of(pair, AT, AT + timedelta(minutes=5))
    strata = comparing.error_strata(pair, rows, width)
    assert [(one.canary.requests, one.baseline.requests) for one in strata] == [
        (50 + n, 909) for n in range(5)
    ]
    slow = comparing.slow_strata(pair, rows, 250, width)
    assert [(one.canary.errors, one.baseline.errors) for one in slow] == [(n, 9) for n in range(5)]
    later = comparing.slow_strata(pair, rows, 200, width)  # the next bound that both have
    assert later == slow


def test_outcomes_that_are_told_at_once__are_compared_in_buckets(pair: comparing.Pair) -> None:
    at_once = Counts(5, 1, durations={bucket_of(300): 5})
    export(pair, "2.0", 0, 600, at_once)  # whoever tells late by himself delays nobody
    export(pair, "1.0", 10, 0, of({"0:100": 5}))
    lateness = comparing.lateness_of(pair, AT + timedelta(minutes=1))
    assert lateness == timedelta(seconds=4)
    assert comparing.width_for(lateness) == comparing.BUCKET
    assert comparing.lateness_of(pair, AT + timedelta(hours=1)) == timedelta()
    rows = comparing.rows_of(pair, AT, AT + timedelta(minutes=1))
    strata = comparing.slow_strata(pair, rows, 250)
    assert [(one.canary.errors, one.baseline.requests) for one in strata] == [(5, 0), (0, 5)]


@pytest.mark.parametrize(
    ("seconds", "width_s"), [(0, 10), (26, 10), (30, 10), (34, 60), (79, 60), (81, 120), (315, 300)]
)
def test_windows__are_as_wide_as_exports_are_late(seconds: int, width_s: int) -> None:
    width = comparing.width_for(timedelta(seconds=seconds))
    assert width == timedelta(seconds=width_s)
    begins = comparing.window_of(AT + timedelta(seconds=299), width)
    assert AT <= begins <= AT + timedelta(seconds=299) < begins + width
