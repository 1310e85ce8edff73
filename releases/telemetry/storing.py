"""Keeping outcomes that evaluators were told, in buckets; the intake stores each batch once.

What is of a service that there is not is kept by name alone, so that somebody sees it. What a
stranger with a public key can make us keep is bounded: of a service the versions that are recorded
as artefacts, and no names of others.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import transaction

from flags.channel import ToldCounts
from flags.channel.telemetry import (
    FLAG,
    OF_FLAGS,
    OF_SERVICES,
    SERVICE,
    WIDTH_S,
    BucketKey,
    Counts,
)
from flags.engine.sketch import Sketch
from flags.models import Flag
from portal.access.models import Environment
from portal.lib.patience import let_others_write
from portal.lib.upserting import add_or_insert
from releases.catalogue.models import Artefact, Service
from releases.telemetry.models import OutcomeBucket, UnknownService

FINE_FOR: Final = timedelta(hours=2)
KEPT_FOR: Final = timedelta(days=35)
COARSE_S: Final = 60
MOST_UNKNOWN: Final = 50
"""Names of services that there are not, kept of an environment."""
ROWS_AT_ONCE: Final = 300

About = tuple[int, str, str]
stored: list[Callable[[list[About]], None]] = []
"""Called once outcomes are stored, with whose they are: environment, about, and the key."""

_BY: Final = ["environment", "about", "name", "version", "start", "width", "by_client"]
_COUNTED: Final = [
    *(
        "requests",
        "errors",
        "durations",
        "histogram",
        "told_at",
        "error_types",
        "values",
        "value_sum",
    )
]
Known = set[tuple[int, str, str]]


def store(told: Collection[ToldCounts], now: datetime) -> int:
    """Add outcomes to what is there; returns how many were of what is gone."""
    buckets: dict[BucketKey, Counts] = {}
    for place, counts in told:
        buckets.setdefault(place, Counts()).merge(counts)
    places = Environment.objects.in_bulk({place[0] for place in buckets})
    names, versions = _known(places, buckets)
    kept: dict[BucketKey, Counts] = {}
    unknown: Counter[tuple[int, str]] = Counter()
    gone = 0
    for place, counts in sorted(buckets.items()):
        environment_id, about, name, version, by_client, _start = place
        environment = places.get(environment_id)
        project = environment.project_id if environment else 0
        if (project, about, name) not in names:
            if environment and about in OF_SERVICES:
                unknown[environment_id, "" if by_client else name] += counts.requests
            else:
                gone += counts.requests
        elif by_client and about in OF_SERVICES and (project, name, version) not in versions:
            unknown[environment_id, ""] += counts.requests
        else:
            kept[place] = counts
    _write(kept, now)
    _note_unknown(unknown, now)
    _tell(kept)
    return gone


def _known(places: Mapping[int, Environment], buckets: Iterable[BucketKey]) -> tuple[Known, Known]:
    projects = {one.project_id for one in places.values()}
    services = {name for _id, about, name, *_rest in buckets if about in OF_SERVICES}
    flags = {name for _id, about, name, *_rest in buckets if about in OF_FLAGS}
    public = {name for _id, about, name, _v, by_client, _s in buckets if by_client}
    names: Known = set()
    for model, abouts, keys in ((Service, OF_SERVICES, services), (Flag, OF_FLAGS, flags)):
        rows: Any = model
        found = rows.objects.filter(project__in=projects, key__in=keys)
        there = list(found.values_list("project", "key"))
        names |= {(project, about, key) for about in abouts for project, key in there}
    artefacts = Artefact.objects.filter(
        service__project__in=projects, service__key__in=services & public
    )
    versions = artefacts.values_list("service__project", "service__key", "version")
    return names, set(versions)


def _write(kept: Mapping[BucketKey, Counts], now: datetime) -> None:
    """Each row is locked, read, added to and written, a number of them at once, in one order."""
    fine = {(*place[:4], _moment(place[5]), WIDTH_S, place[4]): one for place, one in kept.items()}
    for part in _parts(sorted(fine.items())):
        _merge(dict(part), now)


Row = tuple[int, str, str, str, datetime, int, bool]


def _merge(buckets: Mapping[Row, Counts], told_at: datetime | None = None) -> None:
    """Rows that are not there yet are made empty first, so that nobody else makes them."""
    absent = buckets.keys() - set(_rows_like(buckets).values_list(*_BY))
    new = [OutcomeBucket(**_fields(row)) for row in sorted(absent)]
    OutcomeBucket.objects.bulk_create(new, ignore_conflicts=True)
    changed = []
    for row in _rows_like(buckets).select_for_update().order_by("pk"):
        more = buckets.get(_row_of(row))
        if more is not None:
            _add(row, more)
            row.told_at = told_at if more.histogram else row.told_at
            changed.append(row)
    OutcomeBucket.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=_BY, update_fields=_COUNTED
    )


def _rows_like(buckets: Iterable[Row]) -> Any:
    """The rows of these buckets, and of some that differ in what little they share."""
    environments, abouts, names, versions, starts, widths, _by = map(
        set, zip(*buckets, strict=True)
    )
    return OutcomeBucket.objects.filter(
        width__in=widths,
        start__in=starts,
        environment__in=environments,
        about__in=abouts,
        name__in=names,
        version__in=versions,
    )


def _row_of(row: OutcomeBucket) -> Row:
    about = (row.environment_id, row.about, row.name, row.version)
    return (*about, row.start, row.width, row.by_client)


def _fields(row: Row) -> dict[str, Any]:
    named = dict(zip(_BY, row, strict=True))
    return {"environment_id": named.pop("environment"), **named}


def _add(row: OutcomeBucket, more: Counts) -> None:
    counts = counts_of(row)
    counts.merge(more)
    row.requests, row.errors = counts.requests, counts.errors
    row.values, row.value_sum = counts.values, counts.value_sum
    row.durations = Sketch(counts.durations).dump()
    row.error_types, row.histogram = counts.error_types, counts.histogram


def counts_of(row: OutcomeBucket) -> Counts:
    durations, types = Sketch.load(row.durations).counts, dict(row.error_types)
    numbers = (row.requests, row.errors, row.values, row.value_sum)
    return Counts(*numbers, durations, types, dict(row.histogram))


def _parts(rows: list[tuple[Row, Counts]]) -> Iterator[list[tuple[Row, Counts]]]:
    for at in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[at : at + ROWS_AT_ONCE]


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _note_unknown(unknown: Mapping[tuple[int, str], int], now: datetime) -> None:
    """Names are kept up to a number; whatever else was told of counts in the row without one."""
    held = UnknownService.objects.filter(environment__in={one for one, _name in unknown})
    names: dict[int, set[str]] = {}
    for environment_id, name in held.values_list("environment", "name"):
        names.setdefault(environment_id, {""}).add(name)
    counts: Counter[tuple[int, str]] = Counter()
    for (environment_id, name), count in unknown.items():
        known = names.setdefault(environment_id, {""})
        if name not in known and len(known) <= MOST_UNKNOWN:
            known.add(name)
        counts[environment_id, name if name in known else ""] += count
    rows = [
        {"environment": place, "name": name, "count": count, "last_at": now}
        for (place, name), count in counts.items()
    ]
    add_or_insert(
        UnknownService, rows, by=["environment", "name"], adds=["count"], latest=["last_at"]
    )


def _tell(kept: Iterable[BucketKey]) -> None:
    about = sorted({(one[0], FLAG if one[1] in OF_FLAGS else SERVICE, one[2]) for one in kept})
    if about:
        transaction.on_commit(lambda: [tell(about) for tell in stored], robust=True)


def roll_up(*, now: datetime) -> None:
    """Make minutes of what is two hours old, and forget what nobody looks at any more.

    A number of rows in one transaction each: others want to write too.
    """
    until = now.replace(second=0, microsecond=0) - FINE_FOR
    while _roll_up_some(until):
        let_others_write()
    OutcomeBucket.objects.filter(width=COARSE_S, start__lt=now - KEPT_FOR).delete()
    UnknownService.objects.filter(last_at__lt=now - KEPT_FOR).delete()


@transaction.atomic
def _roll_up_some(until: datetime) -> bool:
    """Whether there was something left to do."""
    fine = OutcomeBucket.objects.filter(width=WIDTH_S, start__lt=until)
    rows = list(fine.select_for_update().order_by("start", "pk")[: 3 * ROWS_AT_ONCE])
    minutes: dict[Row, Counts] = {}
    for row in rows:
        about = (row.environment_id, row.about, row.name, row.version)
        place = (*about, row.start.replace(second=0), COARSE_S, row.by_client)
        minutes.setdefault(place, Counts()).merge(counts_of(row))
    for part in _parts(sorted(minutes.items())):
        _merge(dict(part))
    OutcomeBucket.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return bool(rows)
