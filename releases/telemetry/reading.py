import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import orjson
from django.db.models import Count, QuerySet, TextField
from django.db.models.functions import Cast

from flags.channel.telemetry import COHORTS, SERVICE, SYNTHETIC, TESTERS
from flags.engine.histogram import Interval, add_intervals, quantile_between
from flags.engine.sketch import Sketch
from portal.access.models import Environment, Project
from releases.catalogue.models import Service
from releases.engine.tally import Tally
from releases.telemetry.models import OutcomeBucket, TelemetrySource, UnknownService

UNKNOWN_FOR: Final = timedelta(days=1)
WARNED_FOR: Final = timedelta(minutes=10)
LEAST_STEP_S: Final = 10
# As text: reading JSON is most of what a chart costs, and orjson reads it fastest.
_TOLD: Final = Cast("durations", TextField())
_BETWEEN: Final = Cast("histogram", TextField())
_COLUMNS: Final = ("requests", "errors", _TOLD, _BETWEEN)


@dataclass(frozen=True, slots=True)
class Point:
    """What came within a stretch of time; no quantiles where there were no durations, in ms.

    Of histograms a quantile is known to lie in an interval: the upper end is given, or the lower
    where there is no upper one.
    """

    start: datetime
    requests: int
    errors: int
    p50: float | None
    p95: float | None


class Whose(StrEnum):
    """Whose outcomes are looked at: of all but those kept apart; of these and of canary cohorts, as
    far as they can be told apart; or of tagged requests alone."""

    USERS = "users"
    COHORTS = "cohorts"
    TAGGED = "tagged"


_ABOUTS: Final[Mapping[Whose, Callable[[str], tuple[str, ...]]]] = {
    Whose.USERS: lambda about: (about,),
    Whose.COHORTS: lambda about: (about, COHORTS),
    Whose.TAGGED: lambda about: (SYNTHETIC if about == SERVICE else TESTERS,),
}


def tally(
    environment: Environment,
    about: str,
    name: str,
    version: str,
    *,
    since: datetime,
    until: datetime,
    counts_clients: bool = False,
    whose: Whose = Whose.USERS,
) -> Tally:
    """Outcomes of one version, in buckets that begin at or after ``since`` and before ``until``;
    of users by a share, unless ``whose`` says otherwise."""
    abouts = _ABOUTS[whose](about)
    buckets = _buckets(environment, abouts, name, version, since, until, counts_clients)
    total, found = Tally(), dict[str, int]()
    for row in buckets.values_list(*_COLUMNS, "error_types"):
        requests, errors, told, between, error_types = row
        _add(found, told)
        histogram = orjson.loads(between)
        total.merge(Tally(requests, errors, error_types=error_types, histogram=histogram))
    total.durations = Sketch.load(found)
    return total


def series(
    environment: Environment,
    about: str,
    name: str,
    version: str,
    since: datetime,
    until: datetime,
    points: int = 120,
    *,
    counts_clients: bool = False,
) -> list[Point]:
    """The same over time, in as many points at most; stretches without outcomes have no point."""
    buckets = _buckets(environment, (about,), name, version, since, until, counts_clients)
    wanted = (until - since).total_seconds() / points
    step = timedelta(seconds=max(LEAST_STEP_S, -(-wanted // LEAST_STEP_S) * LEAST_STEP_S))
    counted: dict[int, tuple[int, int, dict[str, int], dict[str, int]]] = {}
    for start, requests, errors, told, between in buckets.values_list("start", *_COLUMNS):
        at = (start - since) // step
        before = counted.get(at, (0, 0, {}, {}))
        _add(before[2], told)
        if len(between) > 2:
            add_intervals(before[3], orjson.loads(between))
        counted[at] = before[0] + requests, before[1] + errors, before[2], before[3]
    return [_point(since + at * step, *found) for at, found in sorted(counted.items())]


def unknown_services(project: Project, *, now: datetime) -> QuerySet[UnknownService]:
    lately = UnknownService.objects.filter(
        environment__project=project, last_at__gt=now - UNKNOWN_FOR
    )
    known = Service.objects.filter(project=project).values("key")
    return (
        lately.exclude(name="")
        .exclude(name__in=known)
        .select_related("environment")
        .order_by("name", "environment__key")
    )


@dataclass(frozen=True, slots=True)
class Warned:
    """What is wrong with the metrics of a version, in an environment: ``shared`` where several
    processes send as one instance, else where one has too many series."""

    environment: Environment
    version: str
    instances: int
    is_shared: bool


def warnings(service: Service, *, now: datetime) -> list[Warned]:
    """What was wrong lately with the metrics that were sent of a service."""
    since = now - WARNED_FOR
    sources = TelemetrySource.objects.filter(
        environment__project=service.project_id, service=service.key, seen_at__gt=since
    )
    found = []
    for field in ("shared_at", "crowded_at"):
        rows = sources.filter(**{f"{field}__gt": since})
        counted = rows.values("environment", "version").annotate(count=Count("pk"))
        found += [(one, field == "shared_at") for one in counted.order_by("environment", "version")]
    places = Environment.objects.in_bulk({one["environment"] for one, _shared in found})
    return [
        Warned(places[one["environment"]], one["version"], one["count"], is_shared)
        for one, is_shared in found
    ]


def _buckets(
    environment: Environment,
    abouts: tuple[str, ...],
    name: str,
    version: str,
    since: datetime,
    until: datetime,
    counts_clients: bool,
) -> QuerySet[OutcomeBucket]:
    found = OutcomeBucket.objects.filter(
        environment=environment,
        about__in=abouts,
        name=name,
        version=version,
        start__gte=since,
        start__lt=until,
    )
    if not counts_clients:
        found = found.filter(by_client=False)
    return found


def _add(total: dict[str, int], told: str) -> None:
    """Add a sketch as it is kept. Charts read thousands: this is what they cost."""
    for bucket, count in orjson.loads(told).items():
        total[bucket] = total.get(bucket, 0) + count


def _point(
    start: datetime,
    requests: int,
    errors: int,
    durations: dict[str, int],
    histogram: dict[str, int],
) -> Point:
    sketch = Sketch.load(durations)
    p50, p95 = (_drawn(quantile_between(sketch, histogram, share)) for share in (0.5, 0.95))
    return Point(start, requests, errors, p50, p95)


def _drawn(between: Interval | None) -> float | None:
    if between is None:
        return None
    return between[1] if math.isfinite(between[1]) else between[0]
