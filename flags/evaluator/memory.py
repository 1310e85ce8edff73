"""What the evaluator knows: one state per environment, replaced as a whole.

A state never changes once it is in its place, so a request that took it answers from one version
throughout, and a reader needs no lock.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Final, TypeAlias

from flags.channel import Head
from flags.channel.usage import KEYS_PER_BATCH
from flags.engine import (
    CompiledFlag,
    CompiledGroup,
    CompiledSegment,
    EvaluationState,
    Steps,
    attributes_of,
)
from flags.evaluator.contents import ApiKey, Content, FlagItem

FIRST_ROUND_S: Final = 10.0
# Epoch and version, which sort by time.
Position: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Held:
    """A document that is held: as sealed at ``version``; content None if it is of no use here.

    ``weight`` is what it adds to the environment's sum, the same for the same content.
    """

    version: int
    weight: int
    content: Content | None
    sealed: bytes


@dataclass(frozen=True)
class Environment:
    environment_id: int
    epoch: str
    version: int
    head: Head
    sealed_head: bytes
    fields: Mapping[str, Held]
    # Removed fields and the version that removed them, lest an old document bring one back.
    gone: Mapping[str, int]
    flags: Mapping[str, FlagItem]
    keys: Mapping[bytes, ApiKey]
    segments: Mapping[str, CompiledSegment] = field(default_factory=dict)
    groups: Mapping[str, CompiledGroup] = field(default_factory=dict)
    total: int = 0

    def evaluation(self, now: float, steps: Steps) -> EvaluationState:
        return EvaluationState(self.compiled, self.segments, self.groups, now, _draw, steps)

    @cached_property
    def compiled(self) -> Mapping[str, CompiledFlag]:
        return {k: item.compiled for k, item in self.flags.items() if item.compiled is not None}

    @property
    def position(self) -> Position:
        return self.epoch, self.version

    @cached_property
    def version_header(self) -> tuple[bytes, bytes]:
        return (b"x-aviary-version", b"%d" % self.version)

    @cached_property
    def server_flags(self) -> tuple[FlagItem, ...]:
        return tuple(self.flags[key] for key in sorted(self.flags))

    @cached_property
    def client_flags(self) -> tuple[FlagItem, ...]:
        return tuple(item for item in self.server_flags if item.client_visible)

    @cached_property
    def instants(self) -> tuple[float, ...]:
        """When answers change although nobody changes anything, in Unix seconds, in order."""
        flags = {at for flag in self.compiled.values() for at in flag.instants}
        segments = {at for segment in self.segments.values() for at in segment.instants}
        return tuple(sorted(flags | segments))

    @cached_property
    def attributes(self) -> frozenset[str]:
        flags = (item.attributes for item in self.flags.values())
        segments = (attributes_of(one.source) for one in self.segments.values())
        groups = (attributes_of(one.source) for one in self.groups.values())
        return frozenset().union(*flags, *segments, *groups)

    @cached_property
    def broken_flags(self) -> int:
        return sum(item.compiled is None for item in self.flags.values())


def _draw() -> str:
    return f"{random.getrandbits(64):x}"


class CurrentEnvironment:
    """Where an environment's current state is found.

    ``confirmed_at`` is when Redis last said so much, and ``compared_from`` when the comparison
    began that last found nothing newer; both in monotonic time. ``held_since`` is when this
    version was put here. ``from_disk`` holds until Redis was read; ``may_serve`` is no for a copy
    that is too old.
    """

    __slots__ = ("compared_from", "confirmed_at", "from_disk", "held_since", "may_serve", "state")

    def __init__(self, state: Environment) -> None:
        self.state = state
        self.confirmed_at = self.held_since = time.monotonic()
        self.compared_from = 0.0
        self.from_disk = False
        self.may_serve = True


class KeyUse(dict[str, float]):
    def weigh(self) -> tuple[int, int]:
        return len(self), 200 * len(self)

    merge = dict.update

    def close(self) -> "KeyUse":
        return self

    def contents(self) -> Iterator[tuple[int, object]]:
        rows = iter(self.items())
        while part := dict(islice(rows, KEYS_PER_BATCH)):
            yield len(part), part


@dataclass(slots=True)
class Memory:
    places: dict[int, CurrentEnvironment] = field(default_factory=dict)
    selectors: dict[bytes, tuple[CurrentEnvironment, ApiKey]] = field(default_factory=dict)
    # Read from disk and not served yet: Redis is asked first, and may not give anything older.
    copies: dict[int, CurrentEnvironment] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)
    # Environments that Redis has and that could not be loaded yet.
    missing: set[int] = field(default_factory=set)
    troubles: dict[int, str] = field(default_factory=dict)
    # When keys were last used and nobody was told yet: selector -> Unix seconds.
    used: dict[str, float] = field(default_factory=dict)
    # The registry was read, and each environment in it tried, at least once.
    is_listed: bool = False
    # The first round of loading is over, whatever it came to.
    is_tried: bool = False
    started_at: float = field(default_factory=time.monotonic)
    is_connected: bool = False
    # Whether Redis takes what it is told: one that is full brings nothing new either.
    is_writable: bool = True
    # Called with the old and the new state of an environment; they must not wait.
    watchers: list[Callable[[Environment | None, Environment], None]] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        waited = time.monotonic() - self.started_at > FIRST_ROUND_S
        return bool(self.places) and (self.is_tried or waited)

    @property
    def is_complete(self) -> bool:
        """Whatever Redis has is held, so that an unknown key is really unknown."""
        return self.is_listed and not self.missing

    def take_used(self) -> KeyUse:
        taken, self.used = self.used, {}
        return KeyUse(taken)

    def held(self, environment_id: int) -> Environment | None:
        place = self.places.get(environment_id) or self.copies.get(environment_id)
        return place.state if place is not None else None

    def serve_copy(self, environment_id: int) -> None:
        copy = self.copies.pop(environment_id)
        if environment_id not in self.places:
            self.swap(copy.state)
            place = self.places[environment_id]
            place.confirmed_at, place.from_disk = copy.confirmed_at, True

    def swap(self, state: Environment) -> None:
        place = self.places.get(state.environment_id)
        before = place.state if place is not None else None
        if place is None:
            place = self.places[state.environment_id] = CurrentEnvironment(state)
        else:
            for selector in place.state.keys.keys() - state.keys.keys():
                if self.selectors[selector][0] is place:
                    del self.selectors[selector]
            place.state = state
        self.missing.discard(state.environment_id)
        self.selectors.update((selector, (place, key)) for selector, key in state.keys.items())
        place.confirmed_at = place.held_since = time.monotonic()
        place.from_disk = False
        for watch in self.watchers:
            watch(before, state)
