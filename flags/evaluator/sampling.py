"""Keeping a few of the contexts that were asked with, where a project wants that.

A request only offers its context to a reservoir; where sampling is off it does not even that. Each
context is cut down to what the environment's documents read before it waits to be sent. Nothing of
it is ever logged.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import orjson

from flags.channel.usage import MAX_ATTRIBUTES, SAMPLES_PER_BATCH, is_small
from flags.engine import EVERYTHING, minimised
from flags.evaluator.memory import Memory

T = TypeVar("T")
Context = Mapping[str, object]
# The attributes that were read, and what of them a context had.
Sample = tuple[tuple[str, ...], dict[str, object]]


@dataclass(slots=True)
class Reservoir(Generic[T]):
    offered: int = 0
    chosen: list[T] = field(default_factory=list)

    def offer(self, one: T) -> None:
        self.offered += 1
        if len(self.chosen) < SAMPLES_PER_BATCH:
            self.chosen.append(one)
            return
        place = int(random.random() * self.offered)  # noqa: S311 (no secret)
        if place < SAMPLES_PER_BATCH:
            self.chosen[place] = one

    def merge(self, newer: "Reservoir[T]") -> None:
        mine, theirs = self._shuffled(), newer._shuffled()
        left, right = self.offered, newer.offered
        self.offered, self.chosen = left + right, []
        while len(self.chosen) < SAMPLES_PER_BATCH and (mine or theirs):
            is_mine = random.random() * (left + right) < left  # noqa: S311
            if mine and (is_mine or not theirs):
                self.chosen.append(mine.pop())
                left -= 1
            else:
                self.chosen.append(theirs.pop())
                right -= 1

    def _shuffled(self) -> list[T]:
        return random.sample(self.chosen, len(self.chosen))


@dataclass(slots=True)
class Samples:
    places: dict[int, Reservoir[Context]] = field(default_factory=dict)

    def offer(self, environment_id: int, context: Context) -> None:
        place = self.places.get(environment_id)
        if place is None:
            place = self.places[environment_id] = Reservoir()
        place.offer(context)

    def take(self, memory: Memory) -> "CutSamples":
        places, self.places = self.places, {}
        cut = {one: _cut(memory, one, place) for one, place in places.items()}
        return CutSamples({one: place for one, place in cut.items() if place.chosen})


@dataclass(slots=True)
class CutSamples:
    places: dict[int, Reservoir[Sample]]

    def weigh(self) -> tuple[int, int]:
        found = [one for place in self.places.values() for _reads, one in place.chosen]
        return len(found), 2 * len(orjson.dumps(found))

    def merge(self, newer: "CutSamples") -> None:
        for environment_id, place in newer.places.items():
            self.places.setdefault(environment_id, Reservoir()).merge(place)

    def close(self) -> "CutSamples":
        return self

    def contents(self) -> Iterator[tuple[int, object]]:
        for environment_id, place in self.places.items():
            contexts: defaultdict[tuple[str, ...], list[object]] = defaultdict(list)
            for reads, context in place.chosen:
                contexts[reads].append(context)
            samples = [[reads, found] for reads, found in contexts.items()]
            yield len(place.chosen), {"environment": environment_id, "samples": samples}


def _cut(memory: Memory, environment_id: int, place: Reservoir[Context]) -> Reservoir[Sample]:
    state = memory.places[environment_id].state
    reads = tuple(sorted(state.attributes - {EVERYTHING})[:MAX_ATTRIBUTES])
    if not reads or not state.head.sampling:
        return Reservoir()
    cut = (minimised(context, reads) for context in place.chosen)
    return Reservoir(place.offered, [(reads, one) for one in cut if is_small(one)])
