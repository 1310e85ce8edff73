"""One batch at a time is read, and evaluations get their turn in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from flags.evaluator.body import BadBody

# Work before evaluations get their turn.
SLICE_S: Final = 0.0003
MOST_WAITING_BYTES: Final = 64 * 2**20


@dataclass(slots=True)
class Turns:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Bytes of the batches that wait for their turn.
    waiting: int = 0

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Raises BadBody where too much waits already."""
        if self.waiting + size > MOST_WAITING_BYTES:
            raise BadBody(
                "the evaluator has too many batches waiting: send this one again in a second",
                status=503,
            )
        self.waiting += size
        try:
            async with self.lock:
                yield
        finally:
            self.waiting -= size

    async def pause(self) -> None:
        """Let others do something, and other batches too."""
        self.lock.release()
        try:
            await asyncio.sleep(0)
        finally:
            await self.lock.acquire()
