"""Deployments for Prometheus, counted from the rows: what was retried is there once."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet
from prometheus_client.core import Metric, SummaryMetricFamily

from releases.core.models import OVER, Release, State

# A version's series are of no use once it is history, and would become more with every release.
KEPT: Final = timedelta(days=30)
LABELS: Final = ("project", "service", "version", "environment")
_COLUMNS: Final = ("project__key", "service__key", "artefact__version", "environment__key")
Names = tuple[str, ...]


def families(releases: QuerySet[Release], *, named: bool, now: datetime) -> Iterator[Metric]:
    """How many of some releases of services began lately, and how they ended; by name, or sums."""
    begun = releases.filter(started_at__gte=now - KEPT).exclude(service=None)
    rows = begun.values_list(*_COLUMNS, "state", "because", "started_at", "ended_at")
    started, completed = Counter[Names](), Counter[Names]()
    lasted: dict[Names, list[float]] = {}
    for *found, state, because, start, end in rows:
        names = tuple(found) if named else ()
        started[names] += 1
        if state in OVER and end is not None:
            completed[*names, *_ending(state, because)] += 1
            lasted.setdefault(names, []).append((end - start).total_seconds())
    labels = LABELS if named else ()
    yield _counted("deployment_started", "Releases of services that began.", labels, started)
    ended = (*labels, "status", "error_type")
    yield _counted("deployment_completed", "Those of them that are over.", ended, completed)
    duration = SummaryMetricFamily(
        "deployment_duration", "From start to end, in seconds.", labels=labels
    )
    for names, seconds in lasted.items():
        duration.add_metric(names, count_value=len(seconds), sum_value=sum(seconds))
    yield duration


def _ending(state: str, because: dict[str, object]) -> tuple[str, str]:
    """Its status and, of a failure, what it was: the check that took it back, or its outcome."""
    if state == State.SUCCEEDED:
        return "success", ""
    if state == State.SUPERSEDED:
        return "superseded", ""
    return "failure", str(because.get("check") or state)


def _counted(name: str, text: str, labels: Names, counts: Counter[Names]) -> Metric:
    """A family under just this name: a counter's would be given another ending."""
    family = Metric(name, text, "unknown")
    for values, count in counts.items():
        family.add_sample(name, dict(zip(labels, values, strict=True)), count)
    return family
