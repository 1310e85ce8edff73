"""Sending up what was counted and seen: keys in use, evaluations, outcomes, samples.

Requests only count, in memory. Every two seconds, and before each minute is over, what was counted
is merged with what waits of the same minute, so that memory grows with distinct things and minutes.

While Redis is away all of it waits here, 15 minutes by default; while the worker is, in Redis.
Redis may forget what it took: after a failure everything that the worker is not known to have
stored is sent again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from redis.exceptions import RedisError, ResponseError

from flags.channel import IntakeKind, Sealer
from flags.channel.intake import MINUTE_S
from flags.evaluator.counters import Counters
from flags.evaluator.intake_queue import SLOW_EVERY_S, Gathered, IntakeQueue, minute_of
from flags.evaluator.link import Link

logger = logging.getLogger("aviary.evaluator")

GATHER_EVERY_S: Final = 2.0
# Away from the boundary, lest a timer that fires early counts for the minute before.
MARGIN_S: Final = 0.01


@dataclass(slots=True)
class Intake:
    sources: Mapping[IntakeKind, Callable[[], Gathered]]
    counters: Counters
    link: Link
    sealer: Sealer
    keep_s: float
    keep_bytes: int
    minute: int = field(default_factory=lambda: minute_of(time.time()))
    is_away: bool = False

    def __post_init__(self) -> None:
        self.counters.intake = [IntakeQueue(*source) for source in self.sources.items()]

    async def run(self) -> None:
        while True:
            await asyncio.sleep(pause_s(time.time()))
            self._gather(time.time())
            await self._send()

    async def end(self) -> None:
        self._gather(time.time())
        await self._send(time.monotonic() + SLOW_EVERY_S)
        for queue in self.counters.intake:
            if queue.count:
                logger.warning("%s: %d are lost with the process", queue.kind.name, queue.count)

    def _gather(self, now: float) -> None:
        minute, self.minute = self.minute, minute_of(now)
        for queue in self.counters.intake:
            queue.add(minute, max(minute, min(now, minute + MINUTE_S)))
            queue.drop(self.keep_s, self.keep_bytes)

    async def _send(self, due_at: float | None = None) -> None:
        """Send what is due. One kind that fails holds up no other; a Redis that is away does."""
        for queue in self.counters.intake:
            try:
                if queue.due_at <= (due_at or time.monotonic()):
                    await self._send_queue(queue)
            except ResponseError as error:  # Redis is full, or the key is no stream
                logger.info("%s: told later: %s", queue.kind.name, error)
            except (RedisError, OSError) as error:
                if not self.is_away:
                    logger.warning("what was counted is told later: %s", type(error).__name__)
                self.is_away = True
                for one in self.counters.intake:
                    one.send_again()
                return
            except Exception:  # a fault of ours, in one kind: after a while it is dropped
                logger.exception("%s cannot be sent", queue.kind.name)
        self.is_away = False

    async def _send_queue(self, queue: IntakeQueue) -> None:
        batches = queue.next_batches(self.sealer, first=True)
        while batches:
            rows = [(one.count, one.told, one.sealed) for one in batches]
            queue.note_sent(*await self.link.send_batches(queue.kind, rows))
            batches = queue.next_batches(self.sealer)


def pause_s(now: float) -> float:
    return min(GATHER_EVERY_S, MINUTE_S - now % MINUTE_S + MARGIN_S)
