"""The background task that keeps memory at what Redis holds, and never below what it held.

Two loops share the work, each over its own connection: one follows the change streams, so that a
change is seen at once; the other compares all heads every second, so that it is seen even where
the stream is cut. Whatever Redis does, requests go on being answered from memory.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final

from redis.exceptions import RedisError, ResponseError

from flags.channel import REGISTRY_STREAM, EnvironmentKeys, Sealer, StreamEntry
from flags.evaluator.assemble import (
    RefusalCause,
    StateRefused,
    assemble_delta,
    assemble_full,
    open_head,
)
from flags.evaluator.counters import Counters
from flags.evaluator.link import Link, order_of
from flags.evaluator.memory import Environment, Memory, Position

logger = logging.getLogger("aviary.evaluator")

COMPARE_EVERY_S: Final = 1.0
RETRY_FIRST_S: Final = 0.25
RETRY_MOST_S: Final = 1.0
JITTER_S: Final = 0.1
COPY_PATIENCE_S: Final = 1.0
# What is wrong with all of Redis stands among the troubles under this.
NO_ENVIRONMENT: Final = 0


class Follower:
    def __init__(self, memory: Memory, link: Link, sealer: Sealer, counters: Counters) -> None:
        self._memory, self._link = memory, link
        self._sealer, self._counters = sealer, counters
        self._positions: dict[int, bytes] = {}
        self._registry_position = b"0-0"
        self._registry_changed = asyncio.Event()
        self._compared = asyncio.Event()
        self._tried = asyncio.Event()
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._doubted: set[int] = set()
        self._compare_began_at = 0.0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forever(self.compare))
            group.create_task(self._forever(self.follow))
            group.create_task(self._serve_copies())

    async def _serve_copies(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), COPY_PATIENCE_S)
        listed = self._memory.listed
        for environment_id, copy in list(self._memory.copies.items()):
            if copy.may_serve and (not listed or environment_id in listed):
                self._memory.serve_copy(environment_id)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        delay = RETRY_FIRST_S
        while True:
            try:
                await step()
                delay = RETRY_FIRST_S
            except (RedisError, OSError):
                self._counters.redis_failures += 1
                await asyncio.sleep(delay)
                delay = min(2 * delay, RETRY_MOST_S)
            except Exception as error:  # a fault of ours must not end the following
                logger.exception("following Redis failed: %s", type(error).__name__)
                await asyncio.sleep(RETRY_MOST_S)

    # Comparing heads

    async def compare(self) -> None:
        self._registry_changed.clear()
        self._compare_began_at = time.monotonic()
        try:
            await self._compare_all()
        finally:
            self._memory.is_tried = True
            self._tried.set()
        pause_s = max(self._compare_began_at + COMPARE_EVERY_S - time.monotonic(), 0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._registry_changed.wait(), pause_s)

    async def _compare_all(self) -> None:
        heads = await self._read_heads()
        self._memory.missing = {
            one for one, sealed in heads.items() if sealed and one not in self._memory.places
        }
        failures: list[Exception] = []
        for environment_id, sealed in heads.items():
            try:
                await self._compare_head(environment_id, sealed)
            except (RedisError, OSError) as error:  # the others still get their turn
                failures.append(error)
        self._memory.is_listed = True
        self._compared.set()
        await self._write_doubts()
        if failures:
            raise failures[0]

    async def _read_heads(self) -> dict[int, bytes | ResponseError | None]:
        try:
            registry = await self._read_registry()
            heads = await self._link.read_heads(sorted(registry | self._memory.places.keys()))
        except (RedisError, OSError) as error:
            self._note_connection(error)
            raise
        self._note_connection(None)
        self._memory.listed = registry
        return heads

    async def _read_registry(self) -> set[int]:
        try:
            registry = await self._link.read_registry()
        except ResponseError:
            self._complain(
                NO_ENVIRONMENT,
                StateRefused(RefusalCause.MALFORMED, "the registry is of a wrong type"),
            )
            return set()
        self._memory.troubles.pop(NO_ENVIRONMENT, None)
        return registry

    async def _compare_head(
        self, environment_id: int, sealed: bytes | ResponseError | None
    ) -> None:
        held = self._memory.held(environment_id)
        if sealed is None:
            return
        if isinstance(sealed, ResponseError):
            self._complain(
                environment_id, StateRefused(RefusalCause.MALFORMED, "the head is of a wrong type")
            )
            return
        is_loaded = environment_id in self._positions  # else it is from disk, or not held
        if is_loaded and held is not None and sealed == held.sealed_head:
            self._confirm(environment_id)
            return
        try:
            head = open_head(self._sealer, environment_id, sealed)
            head.check_against(held)
        except StateRefused as refused:
            self._complain(environment_id, refused)
            return
        if is_loaded and held is not None and head.position == held.position:
            self._confirm(environment_id)  # published anew, or again
        else:
            await self.reload(environment_id, wanted=head.position)

    # Following streams

    async def follow(self) -> None:
        names = {EnvironmentKeys(one).stream: one for one in self._positions}
        positions = {name: self._positions[one] for name, one in names.items()}
        entries = await self._link.read_streams(
            {REGISTRY_STREAM: self._registry_position, **positions}
        )
        announced = entries.pop(REGISTRY_STREAM, None)
        if announced:
            self._registry_position = announced[-1][0]
            await self._compare_now()
        for name, changes in entries.items():
            for position, fields in changes:
                await self._take_entry(names[name], fields)
                self._advance(names[name], position)

    async def _compare_now(self) -> None:
        self._compared.clear()
        self._registry_changed.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._compared.wait(), COMPARE_EVERY_S)

    def _advance(self, environment_id: int, position: bytes) -> None:
        if order_of(position) > order_of(self._positions[environment_id]):
            self._positions[environment_id] = position

    async def _take_entry(self, environment_id: int, fields: dict[bytes, bytes]) -> None:
        try:
            entry = StreamEntry.from_fields(fields)
        except (KeyError, TypeError, ValueError):
            self._complain(
                environment_id, StateRefused(RefusalCause.MALFORMED, "a stream entry is malformed")
            )
            await self.reload(environment_id)
            return
        if not await self._apply(environment_id, entry):
            await self.reload(environment_id, wanted=(entry.epoch, entry.version))

    async def _apply(self, environment_id: int, entry: StreamEntry) -> bool:
        async with self._locks[environment_id]:
            held = self._memory.held(environment_id)
            if held is None:
                return False
            if (entry.epoch, entry.version) <= held.position:
                if entry.epoch < held.epoch:
                    self._counters.refused[RefusalCause.LOWER_EPOCH] += 1
                return True
            if (entry.epoch, entry.base) != held.position or entry.changes is None:
                return False
            try:
                state = await assemble_delta(
                    self._sealer, entry, held=held, counters=self._counters
                )
            except StateRefused as refused:
                self._complain(environment_id, refused)
                return False
            self._memory.swap(state)
            self._counters.entries += 1
            return True

    # Loading in full

    async def reload(self, environment_id: int, *, wanted: Position | None = None) -> None:
        """Load one environment in full; many evaluators do not all ask at the same instant."""
        is_loaded = environment_id in self._positions
        if is_loaded:
            await asyncio.sleep(random.uniform(0, JITTER_S))  # noqa: S311 (no secret)
        async with self._locks[environment_id]:
            held = self._memory.held(environment_id)
            if is_loaded and wanted is not None and held is not None and held.position >= wanted:
                return  # the stream brought it meanwhile
            try:
                await self._load(environment_id, held)
            except StateRefused as refused:
                self._complain(environment_id, refused)
            except ResponseError:
                details = "its documents or its stream are of a wrong type"
                self._complain(environment_id, StateRefused(RefusalCause.MALFORMED, details))

    async def _load(self, environment_id: int, held: Environment | None) -> None:
        snapshot = await self._link.load(environment_id)
        if snapshot.head is None:
            return
        self._counters.reloads += 1
        state = await assemble_full(
            self._sealer,
            open_head(self._sealer, environment_id, snapshot.head),
            snapshot.documents,
            environment_id=environment_id,
            held=held,
            counters=self._counters,
        )
        self._memory.swap(state)
        self._positions[environment_id] = snapshot.last_id
        self._memory.troubles.pop(environment_id, None)
        logger.info("environment %d is at version %d", environment_id, state.version)

    async def _write_doubts(self) -> None:
        """The relay compares everything then; what is held here may tell it of a restore."""
        doubted, self._doubted = self._doubted, set()
        states = {one: self._memory.held(one) for one in doubted}
        doubts = {one: state.sealed_head if state else b"" for one, state in states.items()}
        if doubts:
            with contextlib.suppress(RedisError, OSError):
                await self._link.write_doubts(doubts)

    # Keeping notes

    def _confirm(self, environment_id: int) -> None:
        place = self._memory.places[environment_id]
        place.confirmed_at = time.monotonic()
        place.compared_from = self._compare_began_at
        self._memory.troubles.pop(environment_id, None)

    def _complain(self, environment_id: int, refused: StateRefused) -> None:
        self._counters.refused[refused.cause] += 1
        self._doubted.add(environment_id)
        complaint = f"{refused.cause}: {refused}"
        if self._memory.troubles.get(environment_id) != complaint:
            self._memory.troubles[environment_id] = complaint
            logger.error("refused from Redis for environment %d, %s", environment_id, complaint)

    def _note_connection(self, error: Exception | None) -> None:
        connected = error is None
        if connected != self._memory.is_connected:
            self._memory.is_connected = connected
            level = logging.INFO if connected else logging.WARNING
            logger.log(level, "Redis is %s", "connected" if connected else f"away: {error}")
