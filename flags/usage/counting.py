"""Adding up what evaluators counted. What a stranger with a public key can make us keep is bounded.

The intake says that each batch comes once, and in which transaction.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from flags.channel import Missed, UsageBatch
from flags.models import Flag, FlagSeen, FlagUsage, Period, UnknownFlag
from portal.access import authority
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.lib.journal import Intent
from portal.lib.upserting import add_or_insert

KEPT_FOR = {
    Period.MINUTE: timedelta(hours=25),
    Period.HOUR: timedelta(days=35),
    Period.DAY: timedelta(days=400),
}
UNKNOWN_KEPT_FOR = timedelta(days=35)
MAX_UNKNOWN_BY_SERVERS, MAX_UNKNOWN_BY_CLIENTS = 1_000, 100

Flags = Mapping[tuple[int, str], Flag]


def count_usage(batches: Collection[UsageBatch], now: datetime) -> int:
    """Add up batches; returns how many questions were to environments that are gone."""
    ids = {batch.environment_id for batch in batches}
    places = Environment.objects.in_bulk(ids)
    known = [batch for batch in batches if batch.environment_id in places]
    flags = _flags_of(known, places)
    _count_evaluated(known, places, flags, now)
    for pk in sorted(places):
        _count_missed(places[pk], [one for one in known if one.environment_id == pk], now)
    return sum(batch.total for batch in batches) - sum(batch.total for batch in known)


def forget_old_usage(*, now: datetime) -> None:
    for period, age in KEPT_FOR.items():
        FlagUsage.objects.filter(period=period, start__lt=now - age).delete()
    UnknownFlag.objects.filter(last_at__lt=now - UNKNOWN_KEPT_FOR, ignored_at=None).delete()


def _flags_of(batches: Iterable[UsageBatch], places: Mapping[int, Environment]) -> Flags:
    keys = {row.flag for batch in batches for row in batch.asked}
    projects = {place.project_id for place in places.values()}
    found = Flag.objects.filter(project__in=projects, key__in=keys)
    return {(flag.project_id, flag.key): flag for flag in found}


def _count_evaluated(
    batches: Iterable[UsageBatch], places: Mapping[int, Environment], flags: Flags, now: datetime
) -> None:
    counts: Counter[tuple[Any, ...]] = Counter()
    seen: dict[tuple[int, int, str], datetime] = {}
    for batch in batches:
        project = places[batch.environment_id].project_id
        at = min(_moment(batch.last_at), now)
        starts = starts_of(_moment(batch.minute))
        for row in batch.asked:
            flag = flags.get((project, row.flag))
            if flag is None:
                continue  # nobody but a forger counts a flag that does not exist
            variant = _variant_of(flag, row.variant)
            place = (flag.pk, batch.environment_id, variant)
            seen[place] = max(at, seen.get(place, at))
            for period, start in starts.items():
                counts[(*place, row.reason, period, start)] += row.count
    _write_usage(counts)
    _write_seen(seen)


def _write_usage(counts: Mapping[tuple[Any, ...], int]) -> None:
    names = ("flag", "environment", "variant", "reason", "period", "start")
    rows = [{**dict(zip(names, key, strict=True)), "count": n} for key, n in counts.items()]
    add_or_insert(FlagUsage, rows, by=names, adds=["count"])


def _write_seen(seen: Mapping[tuple[int, int, str], datetime]) -> None:
    names = ("flag", "environment", "variant")
    rows = [{**dict(zip(names, key, strict=True)), "last_at": at} for key, at in seen.items()]
    add_or_insert(FlagSeen, rows, by=names, latest=["last_at"])


def starts_of(minute: datetime) -> dict[Period, datetime]:
    """The beginning of the minute, the hour and the day that hold a minute, in UTC."""
    hour = minute.replace(minute=0)
    return {Period.MINUTE: minute, Period.HOUR: hour, Period.DAY: hour.replace(hour=0)}


def _variant_of(flag: Flag, variant: str) -> str:
    """Only variants that the flag has: of others a forger could make up any number."""
    return variant if any(one["key"] == variant for one in flag.variants) else ""


def _count_missed(place: Environment, batches: Iterable[UsageBatch], now: datetime) -> None:
    found = [(row, min(_moment(batch.last_at), now)) for batch in batches for row in batch.missed]
    for by_client, most in ((False, MAX_UNKNOWN_BY_SERVERS), (True, MAX_UNKNOWN_BY_CLIENTS)):
        mine = [(row, at) for row, at in found if row.by_client == by_client]
        if mine:
            _write_missed(place, mine, by_client=by_client, most=most)


def _write_missed(
    place: Environment, found: Iterable[tuple[Missed, datetime]], *, by_client: bool, most: int
) -> None:
    """Names are kept up to a number; whatever else was asked for counts in the row without one."""
    held = UnknownFlag.objects.named().filter(environment=place, by_client=by_client)
    names = set(held.values_list("name", flat=True))
    counts: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    for row, at in found:
        name = row.name if row.name in names or len(names) < most else ""
        names |= {name} - {""}
        counts[name] += row.count
        last[name] = max(at, last.get(name, at))
    rows = [
        {
            "environment": place.pk,
            "name": name,
            "by_client": by_client,
            "count": count,
            "first_at": last[name],
            "last_at": last[name],
        }
        for name, count in counts.items()
    ]
    add_or_insert(
        UnknownFlag,
        rows,
        by=["environment", "name", "by_client"],
        adds=["count"],
        latest=["last_at"],
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@transaction.atomic
def ignore_unknown_flag(
    *, environment: Environment, name: str, ignored: bool, intent: Intent
) -> None:
    """Set a name aside, or look at it again. What applications get is not touched by it.

    Raises Forbidden without ``flag.edit``.
    """
    project = environment.project
    authority.require(intent.actor, Permission.FLAG_EDIT, project=project, environment=environment)
    rows = UnknownFlag.objects.named().filter(environment=environment, name=name)
    rows = rows.filter(ignored_at=None) if ignored else rows.exclude(ignored_at=None)
    if not rows.update(ignored_at=intent.at if ignored else None):
        return  # already up to date
    intent.record(
        "unknown_flag.ignored" if ignored else "unknown_flag.watched",
        replace(environment.recorded_as, kind="unknown_flag", name=name),
    )
