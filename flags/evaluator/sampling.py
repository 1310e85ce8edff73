"""Keeping a few of the contexts that were asked with, where a project wants that.

A request only offers its context to a reservoir; where sampling is off it does not even that.
Every few seconds the reservoirs are emptied, and each context is cut down to what the
environment's documents read before it leaves the process. Nothing of it is ever logged.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from flags.channel import SampleBatch, Sealer
from flags.channel.samples import MAX_ATTRIBUTES, SAMPLES_PER_BATCH, is_small
from flags.engine import EVERYTHING, minimised
from flags.evaluator.link import Link

if TYPE_CHECKING:
    from flags.evaluator.memory import Memory

logger = logging.getLogger("aviary.evaluator")

FLUSH_EVERY_S: Final = 5.0


@dataclass(slots=True)
class Reservoir:
    """An even choice among all contexts that were offered, however many there were."""

    offered: int = 0
    contexts: list[Mapping[str, object]] = field(default_factory=list)

    def offer(self, context: Mapping[str, object]) -> None:
        self.offered += 1
        if len(self.contexts) < SAMPLES_PER_BATCH:
            self.contexts.append(context)
            return
        place = int(random.random() * self.offered)  # noqa: S311 (no secret)
        if place < SAMPLES_PER_BATCH:
            self.contexts[place] = context


@dataclass(slots=True)
class Samples:
    """The reservoirs of all environments, since they were last taken."""

    places: dict[int, Reservoir] = field(default_factory=dict)

    def offer(self, environment_id: int, context: Mapping[str, object]) -> None:
        place = self.places.get(environment_id)
        if place is None:
            place = self.places[environment_id] = Reservoir()
        place.offer(context)

    def take(self) -> dict[int, Reservoir]:
        places, self.places = self.places, {}
        return places


class Sampling:
    """Moves samples from the reservoirs to Redis until it is cancelled."""

    def __init__(self, samples: Samples, memory: "Memory", link: Link, sealer: Sealer) -> None:
        self._samples, self._memory = samples, memory
        self._link, self._sealer = link, sealer

    async def run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Send what was taken; where Redis does not answer it is gone, and others will come."""
        now = time.time()
        taken = self._samples.take()
        found = (self._batch(one, place, now) for one, place in taken.items())
        batches = [batch.seal(self._sealer) for batch in found if batch is not None]
        if not batches:
            return
        try:
            await self._link.write_samples(batches, now)
        except (RedisError, OSError) as error:
            logger.info("samples are lost: %s", type(error).__name__)

    def _batch(self, environment_id: int, place: Reservoir, now: float) -> SampleBatch | None:
        """What is kept of them; None where nothing is read, or sampling was ended meanwhile."""
        state = self._memory.places[environment_id].state
        reads = sorted(state.attributes - {EVERYTHING})[:MAX_ATTRIBUTES]
        if not reads or not state.head.sampling:
            return None
        contexts = (minimised(context, reads) for context in place.contexts)
        kept = tuple(one for one in contexts if is_small(one))
        return SampleBatch(environment_id, now, tuple(reads), kept)
