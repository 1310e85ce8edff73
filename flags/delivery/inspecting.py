"""Whether Redis holds just what was published, and the database what evaluators were given.

Publishing looks at heads alone. Documents are compared in slices, all the time and at little cost,
and in full at once where an evaluator doubts what it was offered.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from redis import Redis, ResponseError

from flags.channel import (
    DIGEST_MODULUS,
    DOUBTS,
    INTAKE_KINDS,
    MENDED,
    REGISTRY,
    REGISTRY_STREAM,
    EnvironmentKeys,
    ForgedEnvelope,
    Sealer,
)
from flags.delivery.build import HeldHead, read_snapshot
from flags.delivery.publisher import RELAY, Publisher, PublishOutcome
from portal.access import services
from portal.access.models import Environment
from portal.lib.journal import Intent

logger = logging.getLogger(__name__)

# Documents compared at once.
_SLICE: Final = 50
# Between two comparisons that doubts asked for: anyone who reaches Redis may doubt.
_REST_S: Final = 5.0
_REST_PER_S: Final = 10.0
_MOVED_MOST: Final = 2


def environment_ids() -> list[int]:
    return list(Environment.objects.values_list("pk", flat=True))


class Inspector:
    """Compares, and publishes anew what is not as it should be.

    Its methods raise redis.RedisError when Redis does not answer.
    """

    def __init__(self, redis: Redis, sealer: Sealer, publisher: Publisher) -> None:
        self._redis, self._sealer, self._publisher = redis, sealer, publisher
        self._rests_until: dict[int, float] = {}
        self._moved: dict[int, int] = {}

    def mend(self, environment_ids: Iterable[int]) -> bool:
        return bool(mend(self._redis, environment_ids))

    def answer_doubts(self) -> None:
        for environment_id, evidence in self._read_doubts().items():
            began = time.monotonic()
            if began < self._rests_until.get(environment_id, 0):
                continue
            self._redis.hdel(DOUBTS, str(environment_id))  # first: who doubts again is heard again
            try:
                self.compare(environment_id, evidence)
            except ResponseError as error:
                logger.warning("environment %d is compared later: %s", environment_id, error)
                self.mend([environment_id])
            took_s = time.monotonic() - began
            self._rests_until[environment_id] = began + max(_REST_S, _REST_PER_S * took_s)

    def _read_doubts(self) -> dict[int, bytes]:
        ids = environment_ids() if self._redis.exists(DOUBTS) else []
        if not ids:
            return {}
        try:
            found = cast(list[Any], self._redis.hmget(DOUBTS, list(map(str, ids))))
        except ResponseError:
            self.mend(())
            return {}
        doubts = zip(ids, found, strict=True)
        return {one: evidence for one, evidence in doubts if evidence is not None}

    def compare(self, environment_id: int, evidence: bytes = b"") -> None:
        known = self._open(environment_id, evidence)
        self._publisher.check_history(known, environment_id)
        snapshot = read_snapshot(environment_id, since=None)
        environment = snapshot.environment
        total = self._publisher.weigh(snapshot)
        held, stored = self._publisher.read_all(environment_id)
        if any(one.is_at(environment) and one.total not in (total, None) for one in (known, held)):
            services.renew_epoch(
                environment_id=environment_id,
                seen_epoch=environment.epoch,
                intent=Intent(
                    RELAY, f"evaluators were given another version {environment.version}"
                ),
            )
        elif held.is_current(environment):
            weights = (self._weigh(environment_id, held, *one) for one in stored.items())
            if sum(weights) % DIGEST_MODULUS != held.total:
                self._publish_anew(environment_id)
                return
        self._publisher.publish(environment_id)

    def _open(self, environment_id: int, raw: bytes) -> HeldHead:
        try:
            return HeldHead.read(raw or None, 0, self._sealer, environment_id)
        except ForgedEnvelope:
            return HeldHead(raw=None)

    def _weigh(self, environment_id: int, held: HeldHead, name: bytes, sealed: bytes) -> int:
        """What a stored document adds; -1, which never fits, where the head does not cover it."""
        field = name.decode(errors="replace")
        try:
            envelope = self._sealer.open(sealed, environment_id=environment_id, field=field)
        except ValueError:
            return -1
        if envelope.epoch != held.epoch or envelope.version > held.version:
            return -1
        return self._sealer.weigh(sealed, environment_id=environment_id, field=field)

    def scan(self, environment_id: int) -> Iterator[None]:
        held = self._publisher.read_held(environment_id)
        if not held.complete:
            return  # publishing sees that by itself
        name = EnvironmentKeys(environment_id).documents
        weights: dict[bytes, int] = {}
        cursor = -1
        while cursor:
            found: Any = self._redis.hscan(name, max(cursor, 0), count=_SLICE)
            cursor, part = found
            for field, sealed in part.items():
                weights[field] = self._weigh(environment_id, held, field, sealed)
            yield
        if self._publisher.read_held(environment_id).raw != held.raw:
            self._note_moved(environment_id)
            return
        self._moved.pop(environment_id, None)
        if sum(weights.values()) % DIGEST_MODULUS != held.total:
            self._publish_anew(environment_id)

    def _note_moved(self, environment_id: int) -> None:
        self._moved[environment_id] = self._moved.get(environment_id, 0) + 1
        if self._moved[environment_id] > _MOVED_MOST:
            del self._moved[environment_id]
            self.compare(environment_id)

    def _publish_anew(self, environment_id: int) -> None:
        logger.error(
            "Redis held other documents of environment %d than were published: published anew",
            environment_id,
        )
        if self._publisher.publish(environment_id, anew=True) is PublishOutcome.PUBLISHED:
            note(self._redis, [EnvironmentKeys(environment_id).documents])


# Taking out of Redis what nobody of ours put there, and what nobody could work with. A key of
# another type fails every command on it, and a stream whose last id lies far in the future takes
# no entry any more. Whatever is lost with them is published again, or was of no use.


_DAY_MS: Final = 24 * 60 * 60 * 1000
_SHARED: Final = {
    REGISTRY: "hash",
    REGISTRY_STREAM: "stream",
    **{kind.stream: "stream" for kind in INTAKE_KINDS},
    DOUBTS: "hash",
    MENDED: "hash",
    # Celery's: what waits there is only a hint, which beat gives again.
    "celery": "list",
    "unacked": "hash",
    "unacked_index": "zset",
    "unacked_mutex": "string",
    "_kombu.binding.celery": "set",
    "_kombu.binding.celery.pidbox": "set",
    "_kombu.binding.celeryev": "set",
}


def mend(redis: Redis, environment_ids: Iterable[int]) -> list[str]:
    """Delete what is impossible; returns the names of the keys. Raises redis.RedisError."""
    wanted = dict(_SHARED)
    for environment_id in environment_ids:
        wanted |= EnvironmentKeys(environment_id).types
    found = _types(redis, list(wanted))
    wrong = {
        name: f"it is a {found[name]} and not a {kind}"
        for name, kind in wanted.items()
        if found[name] not in (kind, "none")
    }
    streams = [name for name, kind in wanted.items() if kind == "stream" == found[name]]
    wrong |= dict.fromkeys(_ended(redis, streams), "its last id lies in the future")
    for name, why in wrong.items():
        redis.delete(name)
        logger.error("deleted %s from Redis: %s", name, why)
    note(redis, wrong)
    return list(wrong)


def note(redis: Redis, names: Iterable[str]) -> None:
    for name in names:
        try:
            redis.hincrby(MENDED, name, 1)
        except ResponseError:  # somebody wrote there what is no count
            redis.hset(MENDED, name, 1)


def _types(redis: Redis, names: list[str]) -> dict[str, str]:
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.type(name)
        return {n: t.decode() for n, t in zip(names, pipe.execute(), strict=True)}


def _ended(redis: Redis, names: list[str]) -> list[str]:
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for name in names:
            pipe.xinfo_stream(name)
        (seconds, _microseconds), *found = pipe.execute(raise_on_error=False)
    latest_ms = seconds * 1000 + _DAY_MS
    return [n for n, one in zip(names, found, strict=True) if _last_ms(one) > latest_ms]


def _last_ms(stream: dict[str, Any] | ResponseError) -> int:
    if isinstance(stream, ResponseError):
        return 0
    last = cast(bytes, stream["last-generated-id"])
    return int(last.partition(b"-")[0])
