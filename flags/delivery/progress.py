"""How far a change has come: saved, published to Redis, answered with by every evaluator.

Read from what Redis holds and what evaluators report there. Where Redis does not answer nothing is
known, and it is left alone for a moment: a page must not wait for it again and again.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from django.conf import settings
from django.db.models import Min, QuerySet
from redis import RedisError

from flags import channel
from flags.channel import EnvironmentKeys
from flags.channel.reports import Report, open_report
from flags.delivery import relay
from flags.delivery.build import HeldHead
from portal.access.models import Environment, EnvironmentChange
from portal.lib import clock

logger = logging.getLogger(__name__)

LEAVE_ALONE_S: Final = 0.5
LOOK_EVERY_S: Final = 0.01
# A person or a script waits for it; mostly it takes some milliseconds.
PATIENCE_S: Final = 0.3
# How far back changes count as unconfirmed where it was never known what evaluators have.
UNSURE_FOR: Final = timedelta(hours=1)
Position = tuple[str, int]


class Arrival(Enum):
    # Every evaluator that reports answers with it.
    LIVE = "live"
    # An evaluator does not have it yet, or Redis does not.
    BEHIND = "behind"
    # Redis has it; evaluators reported in the last day, and none does now.
    SILENT = "silent"
    # Redis has it; no evaluator has reported in the last day.
    UNUSED = "unused"
    # Redis does not answer.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One environment. ``position`` is the database's, ``reached`` what all are known to have."""

    environment_id: int
    position: Position
    arrival: Arrival
    # Of the evaluators that report now; where none does, the last ones.
    reports: tuple[Report, ...] = ()
    # None where it was never known.
    reached: int | None = None

    @property
    def live(self) -> list[Report]:
        return [one for one in self.reports if one.is_live]

    @property
    def behind(self) -> list[Report]:
        return [one for one in self.live if one.position != self.position]

    @property
    def is_pending(self) -> bool:
        return self.arrival not in (Arrival.LIVE, Arrival.UNUSED)

    def changes(self) -> QuerySet[EnvironmentChange]:
        rows = EnvironmentChange.objects.filter(environment=self.environment_id)
        if not self.is_pending:
            return rows.none()
        if self.reached is None:
            return rows.filter(changed_at__gte=clock.now() - UNSURE_FOR)
        return rows.filter(version__gt=self.reached)

    def since(self) -> datetime | None:
        at: datetime | None = self.changes().aggregate(at=Min("changed_at"))["at"]
        return at


# What evaluators were last known to have, for when Redis is away.
_reached: dict[int, Position] = {}
_asked_in_vain_at = -LEAVE_ALONE_S


def read(environments: Iterable[Environment]) -> dict[int, Delivery]:
    ids = [one.pk for one in environments]
    positions = _positions(ids)
    held = _read_redis(ids)
    if held is None:
        return {pk: _unknown(pk, position) for pk, position in positions.items()}
    seen = {pk: (head, *(one.position for one in reports)) for pk, (head, reports) in held.items()}
    if any(one and one > positions[pk] for pk, places in seen.items() for one in places):
        positions = _positions(ids)  # a change was made since they were read
    return {pk: _judge(pk, position, *held[pk]) for pk, position in positions.items()}


def wait_until_live(
    environments: Collection[Environment], *, within_s: float
) -> dict[int, Delivery]:
    """Wait until every evaluator that reports has what is saved; not where none reports."""
    deadline = time.monotonic() + within_s
    while True:
        found = read(environments)
        waits = any(one.arrival is Arrival.BEHIND and one.live for one in found.values())
        if not waits or time.monotonic() >= deadline:
            return found
        time.sleep(LOOK_EVERY_S)


def is_live(environment_ids: set[int]) -> bool:
    places = Environment.objects.filter(pk__in=environment_ids)
    found = wait_until_live(places, within_s=PATIENCE_S)
    return not any(one.is_pending for one in found.values())


Held = tuple[Position | None, tuple[Report, ...]]


def _positions(ids: list[int]) -> dict[int, Position]:
    rows = Environment.objects.filter(pk__in=ids).values_list("pk", "epoch", "version")
    return {pk: (epoch, version) for pk, epoch, version in rows}


def ask(questions: Callable[[Any], object]) -> list[Any] | None:
    """What Redis answers to the questions that are put into a pipeline, an error in place of any;
    None where it does not answer, and for a moment after."""
    global _asked_in_vain_at
    if time.monotonic() - _asked_in_vain_at < LEAVE_ALONE_S:
        return None
    try:
        pipe = relay.connection().pipeline(transaction=False)
        questions(pipe)
        answers: list[Any] = pipe.execute(raise_on_error=False)
    except RedisError as error:
        logger.info("evaluators cannot be asked for: %s", type(error).__name__)
        _asked_in_vain_at = time.monotonic()
        return None
    return answers


def _read_redis(ids: list[int]) -> dict[int, Held] | None:
    def questions(pipe: Any) -> None:
        pipe.time()
        for pk in ids:
            pipe.get(EnvironmentKeys(pk).head)
            pipe.hlen(EnvironmentKeys(pk).documents)
            pipe.hgetall(EnvironmentKeys(pk).reports)

    found = ask(questions)
    if found is None or not isinstance(found[0], tuple):
        return None
    (now, _micros), *answers = found
    rows = zip(ids, answers[::3], answers[1::3], answers[2::3], strict=True)
    sealer = channel.Sealer(settings.SNAPSHOT_KEY)
    return {
        pk: (_head(pk, head, n, sealer), _reports(pk, r, now, sealer)) for pk, head, n, r in rows
    }


def _head(pk: int, raw: Any, documents: Any, sealer: channel.Sealer) -> Position | None:
    if not isinstance(raw, bytes) or not isinstance(documents, int):
        return None
    try:
        held = HeldHead.read(raw, documents, sealer, pk)
    except ValueError:
        return None
    return (held.epoch, held.version) if held.complete else None


def _reports(pk: int, fields: Any, now: int, sealer: channel.Sealer) -> tuple[Report, ...]:
    if not isinstance(fields, dict):
        return ()
    opened = (open_report(name, one, sealer, pk, now=now) for name, one in fields.items())
    reports = sorted((one for one in opened if one), key=lambda one: one.evaluator)
    return tuple(one for one in reports if one.is_live) or tuple(reports)


def _judge(
    pk: int, position: Position, head: Position | None, reports: tuple[Report, ...]
) -> Delivery:
    places = [head, *(one.position for one in reports)]
    reached = min([one[1] if one and one[0] == position[0] else 0 for one in places])
    if any(one.is_live for one in reports):
        arrival = Arrival.LIVE if all(one == position for one in places) else Arrival.BEHIND
    elif head != position:
        arrival = Arrival.BEHIND
    else:
        arrival = Arrival.SILENT if reports else Arrival.UNUSED
    if arrival is not Arrival.SILENT:
        _reached[pk] = position[0], reached
    return Delivery(pk, position, arrival, reports, reached)


def _unknown(pk: int, position: Position) -> Delivery:
    epoch, reached = _reached.get(pk, ("", 0))
    known = reached if epoch == position[0] else None
    return Delivery(pk, position, Arrival.UNKNOWN, reached=known)
