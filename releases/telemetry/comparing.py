"""What two versions did in the same seconds, for comparisons."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from flags.engine.sketch import bucket_of
from portal.access.models import Environment
from releases.engine.judge import Arm, Stratum
from releases.telemetry.models import OutcomeBucket

_TOLD: Final = Cast("durations", TextField())


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of a service, or variants of a flag (``about``), in an environment."""

    environment: Environment
    about: str
    name: str
    canary: str
    baseline: str
    counts_clients: bool = False


BucketRow = tuple[datetime, str, int, int, str]
"""When it begins, the version, requests, errors, and the sketch of durations as it is kept."""


def rows_of(pair: Pair, since: datetime, until: datetime) -> list[BucketRow]:
    """Buckets of both versions that begin in that time, in its order."""
    columns = ("start", "version", "requests", "errors", _TOLD)
    return list(_rows(pair, since, until).values_list(*columns))


def error_strata(pair: Pair, rows: Iterable[BucketRow]) -> list[Stratum]:
    """Requests and errors of each instant."""
    told = ((start, version, requests, errors) for start, version, requests, errors, _s in rows)
    return list(_strata(pair, told))


def slow_strata(pair: Pair, rows: Iterable[BucketRow], slower_than_ms: float) -> list[Stratum]:
    """The same of requests whose duration was told; those that took longer count as errors.

    A sketch knows durations to its relative error: what is in the bucket of the limit is not slow.
    """
    count = slow_in(slower_than_ms)
    told = ((start, version, *count(sketch)) for start, version, _n, _e, sketch in rows)
    return list(_strata(pair, told))


def slow_in(slower_than_ms: float) -> Callable[[str], tuple[int, int]]:
    """Counts how many durations a sketch has, as it is kept, and how many of them are slow."""
    limit = bucket_of(slower_than_ms)

    def count(sketch: str) -> tuple[int, int]:
        counts = orjson.loads(sketch)
        slow = sum(number for bucket, number in counts.items() if int(bucket) > limit)
        return sum(counts.values()), slow

    return count


def value_means(
    pair: Pair, since: datetime, until: datetime, window_s: int
) -> tuple[list[float], list[float]]:
    """The mean value of each version in each whole window of that time where it had values."""
    window = timedelta(seconds=window_s)
    found: dict[tuple[str, int], tuple[int, float]] = {}
    rows = _rows(pair, since, until).filter(values__gt=0)
    for start, version, number, total in rows.values_list(
        "start", "version", "values", "value_sum"
    ):
        at = (start - since) // window
        if since + (at + 1) * window <= until:
            before = found.get((version, at), (0, 0.0))
            found[version, at] = before[0] + number, before[1] + total
    means: dict[str, list[float]] = {pair.canary: [], pair.baseline: []}
    for (version, _at), (number, total) in sorted(found.items()):
        means[version].append(total / number)
    return means[pair.canary], means[pair.baseline]


def error_types(
    environment: Environment,
    about: str,
    name: str,
    *,
    since: datetime,
    until: datetime,
    without: str,
) -> set[str]:
    """The types of errors that other versions than one had in that time, whoever told of them."""
    rows = OutcomeBucket.objects.filter(
        environment=environment, about=about, name=name, start__gte=since, start__lt=until
    )
    told = rows.exclude(version=without).exclude(error_types={})
    return {kind for kinds in told.values_list("error_types", flat=True) for kind in kinds}


def _rows(pair: Pair, since: datetime, until: datetime) -> QuerySet[OutcomeBucket]:
    found = OutcomeBucket.objects.filter(
        environment=pair.environment,
        about=pair.about,
        name=pair.name,
        version__in=(pair.canary, pair.baseline),
        start__gte=since,
        start__lt=until,
    )
    own = found if pair.counts_clients else found.filter(by_client=False)
    return own.order_by("start")


def _strata(pair: Pair, rows: Iterable[tuple[datetime, str, int, int]]) -> Iterator[Stratum]:
    """Rows in the order of time become one stratum for each instant."""
    now: datetime | None = None
    held = {pair.canary: (0, 0), pair.baseline: (0, 0)}
    for start, version, requests, errors in rows:
        if start != now:
            if now is not None:
                yield _stratum(pair, held)
            now, held = start, {pair.canary: (0, 0), pair.baseline: (0, 0)}
        before = held[version]
        held[version] = before[0] + requests, before[1] + errors
    if now is not None:
        yield _stratum(pair, held)


def _stratum(pair: Pair, held: dict[str, tuple[int, int]]) -> Stratum:
    return Stratum(Arm(*held[pair.canary]), Arm(*held[pair.baseline]))
