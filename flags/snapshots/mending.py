"""Taking out of Redis what nobody of ours put there, and what nobody could work with.

A key of another type fails every command on it, and a stream whose last id lies far in the future
takes no entry any more. Whatever is lost with them is published again, or was of no use.
"""

import logging
from collections.abc import Iterable
from typing import Any, Final, cast

from redis import Redis, ResponseError

from flags.channel import (
    DOUBTS,
    INTAKE_KINDS,
    MENDED,
    REGISTRY,
    REGISTRY_STREAM,
    EnvironmentKeys,
)

logger = logging.getLogger(__name__)

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
    """Count keys that were mended, where the portal finds it."""
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
    """The streams that take no entry any more, or will not for long."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for name in names:
            pipe.xinfo_stream(name)
        (seconds, _microseconds), *found = pipe.execute(raise_on_error=False)
    latest_ms = seconds * 1000 + _DAY_MS
    return [n for n, one in zip(names, found, strict=True) if _last_ms(one) > latest_ms]


def _last_ms(stream: dict[str, Any] | ResponseError) -> int:
    """When a stream's last id says it was made; 0 for one that is gone meanwhile."""
    if isinstance(stream, ResponseError):
        return 0
    last = cast(bytes, stream["last-generated-id"])
    return int(last.partition(b"-")[0])
