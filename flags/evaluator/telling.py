"""Telling the portal what was asked for.

Every few seconds, and before each minute is over, what was counted is sealed off into batches.
A batch keeps its id until Redis has it, so that one that was sent twice is counted once. While
Redis is away batches wait here, a minute at a time; the oldest go when there are too many.
"""

import asyncio
import logging
import time
from collections import deque
from typing import Final

from redis.exceptions import RedisError

from flags.channel import UsageBatch
from flags.evaluator.counters import Counters
from flags.evaluator.link import Link
from flags.evaluator.tally import minute_of

logger = logging.getLogger("aviary.evaluator")

FLUSH_EVERY_S: Final = 2.0
MAX_WAITING: Final = 500
MINUTE_S: Final = 60
# Away from the boundary, lest a timer that fires early counts for the minute before.
MARGIN_S: Final = 0.01


class Telling:
    """Moves counts from the tally to Redis until it is cancelled."""

    def __init__(self, counters: Counters, link: Link) -> None:
        self._counters, self._link = counters, link
        self._waiting: deque[UsageBatch] = deque()
        self._minute = minute_of(time.time())

    async def run(self) -> None:
        while True:
            await asyncio.sleep(pause_s(time.time()))
            await self.flush()

    async def flush(self) -> None:
        """Send what is counted; where Redis does not answer it waits."""
        self._take(time.time())
        await self._send()

    async def end(self) -> None:
        """Send everything, once: afterwards nobody counts any more."""
        self._seal(time.time())
        await self._send()

    async def _send(self) -> None:
        try:
            while self._waiting:
                await self._link.write_usage(self._waiting[0])
                self._waiting.popleft()
        except (RedisError, OSError) as error:
            logger.info("what was asked for is told later: %s", type(error).__name__)

    def _take(self, now: float) -> None:
        """Counts of a minute that goes on stay open while others wait: fewer batches to keep."""
        if not self._waiting or minute_of(now) != self._minute:
            self._seal(now)

    def _seal(self, now: float) -> None:
        """Whatever was counted since the last time was counted within that minute."""
        minute, self._minute = self._minute, minute_of(now)
        last_at = max(minute, min(now, minute + MINUTE_S))
        self._waiting.extend(self._counters.take_usage(minute=minute, last_at=last_at))
        while len(self._waiting) > MAX_WAITING:
            lost = self._waiting.popleft()
            self._counters.usage_lost += lost.total


def pause_s(now: float) -> float:
    """How long to wait: the usual time, but not beyond the end of the minute."""
    return min(FLUSH_EVERY_S, MINUTE_S - now % MINUTE_S + MARGIN_S)
