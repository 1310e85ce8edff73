from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy

from flags.channel.telemetry import COHORTS, OF_SERVICES, SYNTHETIC, TESTERS
from releases.core import check_words, descriptions
from releases.core.models import Release
from releases.engine.checks import Check, Kind
from releases.engine.steps import WHOLE
from releases.telemetry import reading
from releases.telemetry.reading import Point
from releases.web.difference_charts import difference_charts

POINTS = 120
# How much of the time before the start is shown, to compare with.
_BEFORE = timedelta(minutes=5)
# Whose outcomes no check of a share counts, of flags and of services.
_APART = {
    SYNTHETIC: (gettext_lazy("tagged requests (apart)"), 3),
    COHORTS: (gettext_lazy("canary cohorts (apart)"), 4),
    TESTERS: (gettext_lazy("testers (apart)"), 3),
}


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A version as a line of a chart: its name and colour there (as in static/charts.js), and
    where its outcomes are counted."""

    name: str
    colour: int
    about: str
    key: str
    version: str


def charts_of(release: Release, now: datetime) -> dict[str, Any]:
    """For each line its name and values at ``times`` (seconds, UTC); null where nothing came.

    ``thresholds`` are drawn as lines across, ``marks`` as lines upright. Charts of differences have
    ``times`` and ``lines`` of their own.
    """
    since, until = _span(release, now)
    lines = [(one, _points(release, one, since, until)) for one in lines_of(release)]
    found = [(one, points) for one, points in lines if points or one.about not in _APART]
    times = sorted({point.start for _line, points in found for point in points})
    checks = release.parsed_plan.checks
    return {
        "times": [time.timestamp() for time in times],
        "lines": [{"name": one.name, "colour": one.colour} for one, _points in found],
        "charts": [
            _chart(_("Requests per minute"), "", found, times, _rate(times)),
            _chart(_("Errors"), "%", found, times, _error_rate, _limits(checks, Kind.ERROR_RATE)),
            _chart(
                _("Response time, p95"), "ms", found, times, _p95, _limits(checks, Kind.LATENCY)
            ),
            *difference_charts(release),
        ],
        "marks": _marks(release),
    }


def lines_of(release: Release) -> list[ChartLine]:
    """The versions that are compared, and of a flag the new one among those who are kept apart. The
    baseline's slice of a service has the stable version, and tells its outcomes by the name of its
    variant."""
    router, is_service = release.router, release.service is not None
    about, key = "service" if is_service else "flag", release.about.key
    stable = router.get("stable", "")
    if is_service:
        stable = release.stable.version if release.stable else ""
    baseline = router.get("baseline", "")
    found = [
        (_("{version} (stable)"), 5, stable, stable),
        (_("{version} (baseline)") if stable else _("baseline"), 2, stable or baseline, baseline),
        # the last, so that it is drawn on top
        (_("{version} (new)"), 0, release.version, release.version),
    ]
    lines = [
        ChartLine(text.format(version=name), colour, about, key, version)
        for text, colour, name, version in found
        if version
    ]
    rest = ((one, how) for one, how in _APART.items() if (one in OF_SERVICES) is is_service)
    apart = [
        ChartLine(str(name), colour, one, key, release.version) for one, (name, colour) in rest
    ]
    return apart + lines


def _span(release: Release, now: datetime) -> tuple[datetime, datetime]:
    started = release.started_at or release.created_at
    ended = release.watch_until or release.ended_at
    return started - _BEFORE, min(now, ended + _BEFORE) if ended else now


def _points(release: Release, line: ChartLine, since: datetime, until: datetime) -> list[Point]:
    where = (release.environment, line.about, line.key, line.version)
    return reading.series(*where, since, until, points=POINTS)


def _chart(
    title: str,
    unit: str,
    found: list[tuple[ChartLine, list[Point]]],
    times: list[datetime],
    value: Any,
    thresholds: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    series = []
    for _line, points in found:
        at = {point.start: value(point) for point in points}
        series.append([at.get(time) for time in times])
    return {"title": title, "unit": unit, "series": series, "thresholds": thresholds or []}


def _rate(times: list[datetime]) -> Any:
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    apart = min(gaps, default=60.0)
    return lambda point: round(point.requests * 60 / apart, 1)


def _error_rate(point: Point) -> float | None:
    return round(100 * point.errors / point.requests, 3) if point.requests else None


def _p95(point: Point) -> float | None:
    return round(point.p95, 1) if point.p95 is not None else None


def _limits(checks: tuple[Check, ...], kind: Kind) -> list[dict[str, Any]]:
    return [
        {"label": check_words.limit_words(check), "value": check.threshold}
        for check in checks
        if check.kind is kind
    ]


def _marks(release: Release) -> list[dict[str, Any]]:
    found = [
        {
            "at": one.reached_at.timestamp(),
            "label": descriptions.step_name(release, one.step),
        }
        for one in release.executions.all()
        if one.reached_at
    ]
    if release.ended_at is not None:
        share = release.told.get("share")
        label = _("ended") if share == WHOLE else _("taken back")
        found.append({"at": release.ended_at.timestamp(), "label": label})
    return found
