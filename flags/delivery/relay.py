"""The relay: whatever the database is ahead of Redis, it publishes.

Three callers, one function: right after a commit (fast), the ``relay`` process every quarter of a
second (certain), and a task of the worker (in case nobody started a relay). What is to be done is
decided by comparing versions, so it does not matter how often or by whom it is done.
"""

import logging
import threading
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.db.models import F
from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.retry import Retry

from flags import channel
from flags.delivery.inspecting import Inspector
from flags.delivery.publisher import Publisher
from flags.delivery.sweeping import Sweeper
from portal.access.models import Environment, EnvironmentChange
from portal.runs.failpoints import failpoint

logger = logging.getLogger(__name__)

# A person waits for the nudge, so it gives up early; the sweep has time for a large environment.
_NUDGE_TIMEOUT_S = 0.3
_SWEEP_TIMEOUT_S = 3.0
# Objects that one version changed, above which publishing it may take its time.
_LARGE_CHANGE = 500


@cache
def _redis(timeout_s: float) -> Redis:
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


@cache
def _publisher(timeout_s: float) -> Publisher:
    return Publisher(_redis(timeout_s), channel.Sealer(settings.SNAPSHOT_KEY))


def on_environments_advanced(environment_ids: Iterable[int], **_signal: Any) -> None:
    """Publish at once what was just committed. A Redis that is away costs no more than a wait."""
    failpoint("before-publish")
    try:
        for environment_id in environment_ids:
            _publish_soon(environment_id)
    except RedisError as error:
        logger.warning("published later, Redis does not answer: %s", error)


def _publish_soon(environment_id: int) -> None:
    try:
        _publisher(_patience(environment_id)).publish(environment_id)
    except ResponseError as error:
        logger.warning("environment %d is published later: %s", environment_id, error)


def _patience(environment_id: int) -> float:
    """An import of thousands of flags may wait for Redis; a single switch may not."""
    last = EnvironmentChange.objects.filter(
        environment_id=environment_id, version=F("environment__version")
    )
    is_large = last[_LARGE_CHANGE : _LARGE_CHANGE + 1].exists()
    return _SWEEP_TIMEOUT_S if is_large else _NUDGE_TIMEOUT_S


def connection(*, patient: bool = False) -> Redis:
    """For short questions, which somebody waits for; or for a process that has time."""
    return _redis(_SWEEP_TIMEOUT_S if patient else _NUDGE_TIMEOUT_S)


def sweep() -> int:
    """Publish every environment that Redis is behind on; returns how many were published.

    Raises redis.RedisError when Redis does not answer.
    """
    return _new_sweeper().sweep()


def look_around() -> None:
    """What is to be done besides publishing, once. Raises redis.RedisError."""
    _new_sweeper().inspector.answer_doubts()


def _new_sweeper() -> Sweeper:
    redis = _redis(_SWEEP_TIMEOUT_S)
    publisher, sealer = _publisher(_SWEEP_TIMEOUT_S), channel.Sealer(settings.SNAPSHOT_KEY)
    return Sweeper(redis, publisher, Inspector(redis, sealer, publisher))


def read_audit_anchors() -> dict[int, str]:
    """Where the audit trail stood when evaluators were last given something: row -> hash.

    Of a database that was set back they tell nothing: the relay finds that and says so. Raises
    OSError when Redis does not answer.
    """
    publisher = _publisher(_SWEEP_TIMEOUT_S)
    try:
        held = [(one, publisher.read_held(one.pk)) for one in Environment.objects.all()]
    except RedisError as error:
        raise OSError(f"Redis does not answer ({type(error).__name__})") from None
    told = [head for environment, head in held if head.audit_row and head.is_of(environment)]
    return {one.audit_row: one.audit_hash for one in told}


def read_mended() -> dict[str, int]:
    """How often relays mended a key of Redis, by its name.

    Raises redis.RedisError when Redis does not answer.
    """
    told = cast(dict[bytes, bytes], _redis(_NUDGE_TIMEOUT_S).hgetall(channel.MENDED))
    named = {name.decode(errors="replace"): count for name, count in told.items()}
    return {
        name: int(count) for name, count in named.items() if count.isdigit() and len(count) <= 18
    }


def run(stop: threading.Event) -> None:
    sweeper = _new_sweeper()
    inspecting = threading.Thread(target=sweeper.keep_inspecting, args=(stop,))
    inspecting.start()
    try:
        sweeper.keep_sweeping(stop)
    finally:
        stop.set()
        inspecting.join()
