"""The relay's two loops: publishing whatever is behind, and inspecting what was published.

One environment's trouble never holds up another. What fails for one is noted, the others get their
turn, and it is tried again after a pause that grows with what the attempt cost.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from django.db import DatabaseError, close_old_connections, connection
from redis import Redis, RedisError, ResponseError
from redis.exceptions import OutOfMemoryError

from flags.delivery.inspecting import Inspector, environment_ids
from flags.delivery.publisher import Publisher, PublishOutcome

logger = logging.getLogger(__name__)

SWEEP_EVERY_S: Final = 0.25
ROUND_EVERY_S: Final = 30.0
# Inspecting takes one per cent of a core: a pause of 99 times what a slice took.
_PAUSE_PER_S: Final = 99.0
_PAUSE_MOST_S: Final = 10.0
# What fails is tried again after ten times as long as the attempt took.
_RETRY_PER_S: Final = 10.0
_RETRY_MOST_S: Final = 30.0


class Sweeper:
    def __init__(self, redis: Redis, publisher: Publisher, inspector: Inspector) -> None:
        self._redis, self._publisher, self.inspector = redis, publisher, inspector
        # Why an environment could not be published, for as long as it cannot.
        self.troubles: dict[int, str] = {}
        self._retry_at: dict[int, float] = {}

    def sweep(self) -> int:
        """Publish every environment that Redis is behind on; returns how many were published.

        Raises redis.RedisError or DatabaseError when that does not answer at all.
        """
        behind = self._publisher.find_behind()
        for environment_id in self.troubles.keys() - behind:
            self._note(environment_id, "")  # somebody else has published it
        return sum(self._try(pk, self._publish) for pk in behind)

    def _publish(self, environment_id: int) -> bool:
        try:
            return self._publisher.publish(environment_id) is PublishOutcome.PUBLISHED
        except OutOfMemoryError:
            raise
        except ResponseError:
            if not self.inspector.mend([environment_id]):
                raise
            return self._publisher.publish(environment_id) is PublishOutcome.PUBLISHED

    def _try(self, environment_id: int, act: Callable[[int], bool]) -> bool:
        began = time.monotonic()
        if began < self._retry_at.get(environment_id, 0):
            return False
        try:
            done = act(environment_id)
        except Exception as error:
            if self._concerns_all(error):
                raise
            took_s = time.monotonic() - began
            self._retry_at[environment_id] = began + min(_RETRY_PER_S * took_s, _RETRY_MOST_S)
            self._note(environment_id, f"{type(error).__name__}: {error}")
            return False
        self._note(environment_id, "")
        return done

    def _concerns_all(self, error: Exception) -> bool:
        if isinstance(error, RedisError) and not isinstance(error, ResponseError):
            try:
                return not self._redis.ping()
            except RedisError:
                return True
        return isinstance(error, DatabaseError) and not connection.is_usable()

    def _note(self, environment_id: int, trouble: str) -> None:
        if trouble != self.troubles.get(environment_id, ""):
            told = trouble or "published again"
            logger.warning("relay: environment %d: %s", environment_id, told)
        if trouble:
            self.troubles[environment_id] = trouble
        else:
            self.troubles.pop(environment_id, None)

    def keep_sweeping(self, stop: threading.Event) -> None:
        trouble = ""
        while not stop.wait(SWEEP_EVERY_S):
            found = self._sweep_trouble()
            if found != trouble:
                logger.warning("relay: %s", found or "publishing again")
            trouble = found

    def _sweep_trouble(self) -> str:
        try:
            published = self.sweep()
        except RedisError as error:
            return f"Redis does not answer ({type(error).__name__})"
        except DatabaseError as error:
            close_old_connections()
            return f"the database does not answer ({type(error).__name__})"
        if published:
            logger.info("relay: published %d environments that a nudge had missed", published)
        return ""

    def keep_inspecting(self, stop: threading.Event) -> None:
        slices, due_at = self._slices(), 0.0
        while not stop.wait(SWEEP_EVERY_S):
            try:
                self.inspector.answer_doubts()
                if time.monotonic() >= due_at:
                    due_at = _run_slice(slices)
            except (RedisError, DatabaseError):
                close_old_connections()
                slices = self._slices()
            except Exception:  # a fault of ours must not end the inspecting
                logger.exception("relay: comparing failed")
                slices, due_at = self._slices(), time.monotonic() + ROUND_EVERY_S
        connection.close()

    def _slices(self) -> Iterator[float]:
        while True:
            began, ids = time.monotonic(), environment_ids()
            self.inspector.mend(ids)
            for environment_id in ids:
                yield from self._scan(environment_id)
            yield began + ROUND_EVERY_S - time.monotonic()

    def _scan(self, environment_id: int) -> Iterator[float]:
        try:
            for _slice in self.inspector.scan(environment_id):
                yield 0.0
        except Exception as error:
            if self._concerns_all(error):
                raise
            logger.warning("relay: environment %d is not compared: %s", environment_id, error)


def _run_slice(slices: Iterator[float]) -> float:
    began_s = time.thread_time()
    pause_s = next(slices)
    spent_s = time.thread_time() - began_s
    return time.monotonic() + max(pause_s, min(_PAUSE_PER_S * spent_s, _PAUSE_MOST_S))
