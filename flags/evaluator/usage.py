"""Telling the portal which API keys are in use.

A request does nothing but remember the instant. Every ten seconds what was remembered goes to
Redis, from where the portal takes it; whatever goes wrong on the way is harmless.
"""

import asyncio
import logging
import time
from typing import Final

from redis.exceptions import RedisError

from flags.evaluator.link import Link
from flags.evaluator.memory import Memory

logger = logging.getLogger("aviary.evaluator")

LOOK_EVERY_S: Final = 0.5
WRITE_EVERY_S: Final = 10.0


class Usage:
    """Writes what ``memory.used`` holds, at most once in ten seconds."""

    def __init__(self, memory: Memory, link: Link) -> None:
        self._memory, self._link = memory, link
        self._due_at = 0.0

    async def run(self) -> None:
        """Write until cancelled; the first use after a pause is written at once."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._memory.used and time.monotonic() >= self._due_at:
                self._due_at = time.monotonic() + WRITE_EVERY_S
                await self.write()

    async def write(self) -> None:
        """Write what is remembered; where Redis does not answer it is remembered further."""
        used, self._memory.used = self._memory.used, {}
        if not used:
            return
        try:
            await self._link.write_used(used)
        except (RedisError, OSError) as error:
            self._memory.used = used | self._memory.used
            logger.info("the use of keys is told later: %s", type(error).__name__)
