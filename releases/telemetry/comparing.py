"""What two versions did in the same seconds, for comparisons."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from django.db.models import F, Max, QuerySet, TextField
from django.db.models.functions import Cast

from flags.engine.histogram import limit_of_all, slow_among
from flags.engine.sketch import bucket_of
from portal.access.models import Environment
from releases.engine.judge import Arm, Stratum
from releases.telemetry.models import OutcomeBucket

_TOLD: Final = Cast("durations", TextField())
_BETWEEN: Final = Cast("histogram", TextField())
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BUCKET: Final = timedelta(seconds=10)
LOOKS_BACK: Final = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of a service, or variants of a flag (``about``), in an environment."""

    environment: Environment
    about: str
    name: str
    canary: str
    baseline: str
    counts_clients: bool = False


BucketRow = tuple[datetime, str, int, int, str, str]
"""When it begins, the version, requests, errors, and the sketch and histogram of durations as they
are kept."""


def rows_of(pair: Pair, since: datetime, until: datetime) -> list[BucketRow]:
    """Buckets of both versions that begin in that time, in its order."""
    columns = ("start", "version", "requests", "errors", _TOLD, _BETWEEN)
    return list(_rows(pair, since, until).values_list(*columns))


def lateness_of(pair: Pair, at: datetime) -> timedelta:
    """How long after its beginning a bucket is added to: an export of OpenTelemetry says what was
    since the export before, and counts where that was. Nothing where none came lately."""
    rows = _rows(pair, at - LOOKS_BACK, at).exclude(told_at=None)
    told = rows.order_by().aggregate(most=Max(F("told_at") - F("start")))["most"]
    return told or timedelta()


def width_for(lateness: timedelta) -> timedelta:
    """In how wide windows two versions are to be compared, each of which exports when it does: a
    window has an export of each."""
    minutes = -(-(lateness - 2 * BUCKET) // timedelta(minutes=1))
    return timedelta(minutes=minutes) if lateness > 3 * BUCKET else BUCKET


def window_of(at: datetime, width: timedelta) -> datetime:
    """When the window begins that holds an instant."""
    return at - (at - _EPOCH) % width


def error_strata(pair: Pair, rows: Iterable[BucketRow], width: timedelta = BUCKET) -> list[Stratum]:
    """Requests and errors of each window."""
    told = ((start, version, requests, errors) for start, version, requests, errors, *_t in rows)
    return list(_strata(pair, told, width))


def slow_strata(
    pair: Pair, rows: Iterable[BucketRow], slower_than_ms: float, width: timedelta = BUCKET
) -> list[Stratum]:
    """The same of requests whose duration was told; those that took longer count as errors.

    A sketch knows durations to its relative error: what is in the bucket of the limit is not slow.
    Of histograms the next bound is taken that all of both versions have.
    """
    found = list(rows)
    limit = limit_of_all((orjson.loads(one) for one in {row[5] for row in found}), slower_than_ms)
    count = slow_in(limit)
    told = ((row[0], row[1], *count(*row[4:])) for row in found)
    return list(_strata(pair, told, width))


def slow_in(slower_than_ms: float) -> Callable[[str, str], tuple[int, int]]:
    """Counts how many durations a bucket has, as it is kept, and how many of them are slow."""
    limit = bucket_of(slower_than_ms)

    def count(sketch: str, histogram: str) -> tuple[int, int]:
        counts = orjson.loads(sketch)
        slow = sum(number for bucket, number in counts.items() if int(bucket) > limit)
        if len(histogram) <= len("{}"):
            return sum(counts.values()), slow
        more = slow_among(orjson.loads(histogram), slower_than_ms)
        return sum(counts.values()) + more[0], slow + more[1]

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


def _strata(
    pair: Pair, rows: Iterable[tuple[datetime, str, int, int]], width: timedelta
) -> Iterator[Stratum]:
    """Rows in the order of time become one stratum for each window."""
    now: datetime | None = None
    held = {pair.canary: (0, 0), pair.baseline: (0, 0)}
    for start, version, requests, errors in rows:
        window = window_of(start, width)
        if window != now:
            if now is not None:
                yield _stratum(pair, held)
            now, held = window, {pair.canary: (0, 0), pair.baseline: (0, 0)}
        before = held[version]
        held[version] = before[0] + requests, before[1] + errors
    if now is not None:
        yield _stratum(pair, held)


def _stratum(pair: Pair, held: dict[str, tuple[int, int]]) -> Stratum:
    return Stratum(Arm(*held[pair.canary]), Arm(*held[pair.baseline]))
