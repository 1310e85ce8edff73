"""Which batches of telemetry were counted: each once within a day, whichever evaluator it comes to.

Redis remembers for all evaluators. While it is away each remembers what it counted itself, so that
a batch that is sent again to another one counts twice. Memory is bounded on both sides: the oldest
are forgotten first.
"""

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from redis.exceptions import RedisError

from flags.evaluator.keys import ApiKey
from flags.evaluator.link import Link
from flags.evaluator.memory import Memory

DAY_S: Final = 24 * 3600
MOST_HERE: Final = 50_000
MOST_OF: Final = {True: 1_000_000, False: 10_000}
"""Kept in Redis of one key that decides, and of one that anybody may hold."""


@dataclass(slots=True)
class BatchIds:
    memory: Memory
    link: Link | None
    here: "OrderedDict[bytes, float]" = field(default_factory=OrderedDict)
    """Until when each is remembered, in monotonic time."""

    async def is_new(self, environment_id: int, key: ApiKey, batch_id: str) -> bool:
        name = f"{key.selector} {batch_id}".encode()
        digest = hashlib.blake2b(name, digest_size=12).digest()
        if not self._note(digest):
            return False
        if self.link is None or not self.memory.is_connected:
            return True
        most = MOST_OF[key.decides]
        try:
            return await self.link.note_batch(environment_id, key.selector, digest, DAY_S, most)
        except (RedisError, OSError):
            return True

    def _note(self, digest: bytes) -> bool:
        now = time.monotonic()
        if self.here.get(digest, 0.0) > now:
            return False
        self.here[digest] = now + DAY_S
        self.here.move_to_end(digest)
        while len(self.here) > MOST_HERE:
            self.here.popitem(last=False)
        return True
