"""For each comparison a chart: the difference over time, with its bound on one side."""

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _

from releases.core import comparison_words
from releases.core.models import Measurement, Release
from releases.engine.checks import TESTED, Check

POINTS: Final = 120
MOST_ROWS: Final = 5_000
"""Of a check that are looked at: those of the last half day at least."""
_DIFFERENCE, _BOUND = 0, 1  # colours, as in static/charts.js


def difference_charts(release: Release) -> Iterator[dict[str, Any]]:
    """Each with times and lines of its own; the values are percentage points."""
    for check in release.parsed_plan.checks:
        if check.kind in TESTED:
            rows = _rows(release, check)
            if rows:
                yield _chart(check, rows)


def _chart(check: Check, rows: list[Measurement]) -> dict[str, Any]:
    title = _("Difference to the baseline: {key} ({limit})")
    series = [[_points(row.numbers[name]) for row in rows] for name in ("estimate", "lower")]
    return {
        "title": title.format(key=check.key, limit=comparison_words.limit_words(check)),
        "unit": _("points"),
        "times": [row.at.timestamp() for row in rows],
        "lines": [
            {"name": _("difference"), "colour": _DIFFERENCE},
            {"name": _("at least (one-sided bound)"), "colour": _BOUND},
        ],
        "series": series,
        # At first nothing is known, and the bound lies far below all that there is to see.
        "least": min(0, *series[0], 1.5 * series[1][-1]),
        "thresholds": [{"label": _("no difference"), "value": 0}],
    }


def _rows(release: Release, check: Check) -> list[Measurement]:
    """What was measured last, evenly over time, with the newest of it."""
    mine = release.measurements.filter(check_key=check.key, requests__gt=0).order_by("-at", "-pk")
    keys = list(mine.values_list("pk", flat=True)[:MOST_ROWS])
    shown = keys[:: -(-len(keys) // POINTS) or 1]
    found = Measurement.objects.in_bulk(shown)
    rows = [found[pk] for pk in reversed(shown)]
    return [row for row in rows if "estimate" in row.numbers]


def _points(share: float) -> float:
    return round(100 * share, 3)
