"""How what evaluators send up is doing: what waits in Redis, and what was lost."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum
from redis import RedisError

from flags.channel import INTAKE_KINDS, USAGE
from flags.models import IntakeLoss, LossCause
from flags.snapshots import relay

LOOK_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IntakeState:
    """A kind: batches that nobody has taken from Redis and the age of the oldest, in seconds, None
    where Redis is away; and by cause what was lost."""

    kind: str
    waiting: int | None
    oldest_s: float | None
    lost_last_day: dict[str, int]


def read_states(*, now: datetime) -> list[IntakeState]:
    """The state of each kind."""
    rows = IntakeLoss.objects.filter(minute__gt=now - LOOK_BACK)
    summed = rows.values_list("kind", "cause").annotate(n=Sum("count"))
    found = {(kind, cause): count for kind, cause, count in summed}
    states = []
    for kind, (waiting, oldest_s) in _read_waiting(now).items():
        lost = {cause: found.get((kind, cause), 0) for cause in LossCause.values}
        states.append(IntakeState(kind, waiting, oldest_s, lost))
    return states


def dropped_usage(*, since: datetime) -> int:
    """Evaluations of all flags that were dropped before they were counted."""
    rows = IntakeLoss.objects.filter(kind=USAGE.name, cause=LossCause.DROPPED, minute__gte=since)
    return rows.aggregate(n=Sum("count"))["n"] or 0


def _read_waiting(now: datetime) -> dict[str, tuple[int | None, float | None]]:
    names = [kind.name for kind in INTAKE_KINDS]
    try:
        with relay.connection().pipeline(transaction=False) as pipe:
            for kind in INTAKE_KINDS:
                pipe.xlen(kind.stream)
                pipe.xrange(kind.stream, count=1)
            found = pipe.execute()
    except RedisError:
        return dict.fromkeys(names, (None, None))
    ages = [_age_s(first[0][0], now) if first else 0.0 for first in found[1::2]]
    return dict(zip(names, zip(found[::2], ages, strict=True), strict=True))


def _age_s(place: bytes, now: datetime) -> float:
    """Since a batch came to Redis."""
    return round(max(0.0, now.timestamp() - int(place.partition(b"-")[0]) / 1000), 1)
