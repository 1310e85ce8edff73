"""Keeping what Alertmanager tells, each alert once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction

from portal.access.models import Environment
from releases.alerts import selectors
from releases.alerts.models import Alert, AlertSource

MOST_FIRING: Final = 1000
"""Alerts that are kept firing in an environment."""
MOST_RESOLVED: Final = 5000
_REPEATED: Final = timedelta(days=1)
"""Within that Alertmanager has told again of what there was no room for."""

told: list[Callable[[int], None]] = []
"""Called once alerts are stored, with the id of their environment."""


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """One alert as it was sent; firing where ``ends_at`` is None."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None


@dataclass(slots=True)
class Stored:
    """How many alerts a batch has changed: begun, ended, and those without room or news."""

    firing: int = 0
    resolved: int = 0
    unchanged: int = 0
    left_out: int = 0


def store(
    *, environment: Environment, alerts: Iterable[ToldAlert], at: datetime, left_out: int = 0
) -> Stored:
    """Keep what a batch says, ``left_out`` of which did not come. The same again changes nothing,
    and neither does what is older than what is known: an alert that began anew is not ended by the
    end of before."""
    batch = sorted(alerts, key=lambda one: (one.starts_at, one.ends_at is not None))
    result = Stored(left_out=left_out)
    with transaction.atomic():
        source = _source(environment, at)
        _forget(environment, at)
        rows = environment.alerts.filter(fingerprint__in={one.fingerprint for one in batch})
        known = {one.fingerprint: one for one in rows}
        free = MOST_FIRING - environment.alerts.filter(ends_at=None).count()
        for alert in batch:
            free += _take(environment, known, alert, at, free, result)
        source.last_at = at
        if result.left_out or (source.left_out_at and at > source.left_out_at + _REPEATED):
            source.left_out_at = at if result.left_out else None
        source.save(update_fields=["last_at", "left_out_at"])
        for tell in told:
            transaction.on_commit(partial(tell, environment.pk))
    return result


def _source(environment: Environment, at: datetime) -> AlertSource:
    """Its row, locked: batches of one environment come one after the other."""
    AlertSource.objects.get_or_create(
        environment=environment, defaults={"first_at": at, "last_at": at}
    )
    return AlertSource.objects.select_for_update().get(environment=environment)


def _take(
    environment: Environment,
    known: dict[str, Alert],
    alert: ToldAlert,
    at: datetime,
    free: int,
    result: Stored,
) -> int:
    """Keep one; returns by how much the room for firing ones has grown."""
    row = known.get(alert.fingerprint)
    was_firing = row is not None and row.ends_at is None
    fires = alert.ends_at is None
    if row is not None and _is_old(row, alert):
        result.unchanged += 1
        if was_firing and fires:
            Alert.objects.filter(pk=row.pk).update(seen_at=at)
        return 0
    if fires and not was_firing and free <= 0:
        result.left_out += 1
        return 0
    values: dict[str, Any] = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "seen_at": at,
    }
    known[alert.fingerprint], _new = Alert.objects.update_or_create(
        environment=environment, fingerprint=alert.fingerprint, defaults=values
    )
    if fires:
        result.firing += 1
    else:
        result.resolved += 1
    return int(was_firing) - int(fires)


def _is_old(row: Alert, alert: ToldAlert) -> bool:
    """Whether it is no news: it began earlier, or it is the same one that was told of already."""
    if alert.starts_at != row.starts_at:
        return alert.starts_at < row.starts_at
    return row.ends_at is not None or alert.ends_at is None


def _forget(environment: Environment, at: datetime) -> None:
    selectors.forgotten(at).filter(environment=environment).delete()
    resolved = environment.alerts.exclude(ends_at=None).order_by("-ends_at", "-pk")
    too_many = list(resolved.values_list("pk", flat=True)[MOST_RESOLVED : MOST_RESOLVED + 1000])
    if too_many:
        Alert.objects.filter(pk__in=too_many).delete()


def forget_old(*, at: datetime) -> None:
    """Forget what nobody has told of for a month, wherever it was."""
    selectors.forgotten(at).delete()
