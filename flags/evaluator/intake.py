"""Sending up what was counted and seen: keys in use, what was asked for, samples.

Requests only count, in memory. Every two seconds, and before each minute is over, what was counted
is merged with what waits of the same minute, so that memory grows with distinct things and minutes.
A minute becomes batches when its turn comes; a batch may be sent again, for the worker stores it
once.

While Redis is away all of it waits here, 15 minutes by default; while the worker is, in Redis. What
has waited for too long, or is too much, is dropped, oldest first, counted, and said with the next
batch. Redis may forget what it took: after a failure everything that the worker is not known to
have stored is sent again.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from redis.exceptions import RedisError, ResponseError

from flags.channel import IntakeBatch, IntakeKind, Sealer
from flags.channel.intake import MINUTE_S
from flags.evaluator.counters import Counters
from flags.evaluator.link import Link

logger = logging.getLogger("aviary.evaluator")

GATHER_EVERY_S: Final = 2.0
# Away from the boundary, lest a timer that fires early counts for the minute before.
MARGIN_S: Final = 0.01
AT_ONCE: Final = 50
# Where nobody takes batches for so long, fewer and larger ones are sent: they fit for longer.
SLOW_AFTER_S: Final = 30
SLOW_EVERY_S: Final = 60.0


class Gathered(Protocol):
    """What was counted of one kind since it was last gathered."""

    @property
    def count(self) -> int:
        """How many things it stands for."""

    @property
    def size(self) -> int:
        """What keeping it takes, in bytes, roughly."""

    def merge(self, newer: Any) -> None:
        """Take in what was counted later within the same minute."""

    def contents(self) -> Iterator[tuple[int, object]]:
        """It as JSON, in parts that each fit into a batch, with how many things each holds."""


Gather = Callable[[], Gathered]


@dataclass(slots=True)
class OpenMinute:
    """What waits of one minute and still grows; ``since`` in monotonic time."""

    minute: int
    since: float
    gathered: Gathered
    last_at: float
    count: int = 0
    size: int = 0

    def weigh(self) -> None:
        """What it counts and takes is asked for where it grows, for it may take a while."""
        self.count, self.size = self.gathered.count, self.gathered.size


@dataclass(slots=True)
class Outgoing:
    """A batch that is sent until Redis has it; ``told`` is how many dropped things it speaks of."""

    since: float
    sealed: bytes
    count: int
    told: int
    place: bytes = b""
    """Where Redis once had it."""

    @property
    def size(self) -> int:
        return len(self.sealed)


@dataclass(slots=True)
class IntakeQueue:
    """What waits of one kind: minutes, batches on their way, and those that Redis has."""

    kind: IntakeKind
    gather: Gather
    minutes: deque[OpenMinute] = field(default_factory=deque)
    batches: deque[Outgoing] = field(default_factory=deque)
    sent: deque[Outgoing] = field(default_factory=deque)
    dropped: int = 0
    """Things that the portal will never hear of, since the process started."""
    untold: int = 0
    """How many of them no batch has spoken of yet."""
    due_at: float = 0.0
    is_losing: bool = False

    @property
    def waiting(self) -> tuple[Outgoing | OpenMinute, ...]:
        """Oldest first; what Redis has is not among it."""
        return (*self.batches, *self.minutes)

    @property
    def count(self) -> int:
        return sum(one.count for one in self.waiting)

    @property
    def oldest_s(self) -> float:
        return max((time.monotonic() - one.since for one in self.waiting), default=0.0)

    def add(self, minute: int, last_at: float) -> None:
        """Gather what was counted within that minute."""
        gathered = self.gather()
        if not gathered.count:
            return
        if self.minutes and self.minutes[-1].minute == minute:
            self.minutes[-1].gathered.merge(gathered)
            self.minutes[-1].last_at = last_at
        else:
            self.minutes.append(OpenMinute(minute, time.monotonic(), gathered, last_at))
        self.minutes[-1].weigh()

    def drop(self, keep_s: float, keep_bytes: int) -> None:
        """Drop what is too old or too much, but never all: what Redis has goes first."""
        oldest_at, size = time.monotonic() - keep_s, sum(one.size for one in self.waiting)
        size += sum(one.size for one in self.sent)
        while self.sent and (size > keep_bytes or self.sent[0].since < oldest_at):
            size -= self.sent.popleft().size
        for old in self.waiting:
            too_much = size > keep_bytes and len(self.waiting) > 1
            if not too_much and old.since >= oldest_at:
                return
            size -= old.size
            if isinstance(old, OpenMinute):
                self.minutes.popleft()
                self.lose(old.count, told=0)
            else:
                self.batches.popleft()
                if not old.place:
                    self.lose(old.count, told=old.told)

    def lose(self, count: int, *, told: int) -> None:
        """Count things that are lost, with word of others that were."""
        self.dropped += count
        self.untold += count + told
        if count and not self.is_losing:
            self.is_losing = True
            logger.warning(
                "%s: %d dropped, and maybe more: Redis or the worker is away for too long",
                self.kind.name,
                count,
            )

    def next_batches(self, sealer: Sealer, *, first: bool = False) -> list[Outgoing]:
        """What to send next. A minute becomes batches only then; mere word of losses only first."""
        while self.minutes and not self.batches:
            one = self.minutes.popleft()
            try:
                self.batches.extend(self._close(sealer, one))
            except Exception:  # a fault of ours, in one kind
                logger.exception("%s cannot be sent", self.kind.name)
                self.lose(one.count, told=0)
        if self.untold and first and not self.batches:
            now = time.time()
            word = IntakeBatch(self.kind, minute_of(now), now, dropped=self.untold)
            self.batches.append(Outgoing(time.monotonic(), word.seal(sealer), 0, self.untold))
            self.untold = 0
        return list(islice(self.batches, AT_ONCE))

    def _close(self, sealer: Sealer, one: OpenMinute) -> list[Outgoing]:
        """A minute as batches; the first tells of what was dropped."""
        closed, told = [], self.untold
        for count, content in one.gathered.contents():
            batch = IntakeBatch(self.kind, one.minute, one.last_at, content, count, told)
            closed.append(Outgoing(one.since, batch.seal(sealer), count, told))
            told = 0
        self.untold = told
        return closed

    def note_sent(
        self,
        batches: list[Outgoing],
        lost: int,
        untold: int,
        oldest: bytes,
        age_s: int,
        places: list[bytes],
    ) -> None:
        """Redis has them. What lies before the oldest that it still has, the worker stored."""
        for batch, place in zip(batches, places, strict=True):
            batch.place = place
            self.sent.append(self.batches.popleft())
        while self.sent and (not oldest or _order(self.sent[0].place) < _order(oldest)):
            self.sent.popleft()
        self.is_losing = self.is_losing and (bool(lost) or age_s > SLOW_AFTER_S)
        self.lose(lost, told=untold)
        pause_s = SLOW_EVERY_S if age_s > SLOW_AFTER_S else self.kind.every_s
        self.due_at = time.monotonic() + pause_s

    def send_again(self) -> None:
        """Redis may have forgotten what it had."""
        self.batches.extendleft(reversed(self.sent))
        self.sent.clear()


class Intake:
    """Sends what is gathered until it is cancelled, and keeps it while Redis is away."""

    def __init__(
        self,
        sources: Mapping[IntakeKind, Gather],
        counters: Counters,
        link: Link,
        sealer: Sealer,
        *,
        keep_s: float,
        keep_bytes: int,
    ) -> None:
        self._queues = [IntakeQueue(kind, gather) for kind, gather in sources.items()]
        counters.intake = self._queues
        self._link, self._sealer = link, sealer
        self._keep_s, self._keep_bytes = keep_s, keep_bytes
        self._minute = minute_of(time.time())
        self._is_away = False

    async def run(self) -> None:
        while True:
            await asyncio.sleep(pause_s(time.time()))
            self._gather(time.time())
            due = [one for one in self._queues if time.monotonic() >= one.due_at]
            await self._send(due)

    async def end(self) -> None:
        """Send everything, once: afterwards nobody counts any more."""
        self._gather(time.time())
        await self._send(self._queues)
        for queue in self._queues:
            if queue.count:
                logger.warning("%s: %d are lost with the process", queue.kind.name, queue.count)

    def _gather(self, now: float) -> None:
        """Whatever was counted since the last time was counted within that minute."""
        minute, self._minute = self._minute, minute_of(now)
        last_at = max(minute, min(now, minute + MINUTE_S))
        for queue in self._queues:
            try:
                queue.add(minute, last_at)
            except Exception:  # a fault of ours, in one kind
                logger.exception("%s cannot be gathered", queue.kind.name)
            queue.drop(self._keep_s, self._keep_bytes)

    async def _send(self, queues: list[IntakeQueue]) -> None:
        """What one stream does not take holds up no other; a Redis that is away does."""
        try:
            for queue in queues:
                await self._send_queue(queue)
        except (RedisError, OSError) as error:
            if not self._is_away:
                logger.warning("what was counted is told later: %s", type(error).__name__)
            self._is_away = True
            for queue in self._queues:
                queue.send_again()
            return
        self._is_away = False

    async def _send_queue(self, queue: IntakeQueue) -> None:
        """Raises redis.RedisError or OSError when Redis does not answer in time."""
        batches = queue.next_batches(self._sealer, first=True)
        while batches:
            rows = [(one.count, one.told, one.sealed) for one in batches]
            try:
                answer = await self._link.send_batches(queue.kind, rows)
            except ResponseError as error:  # it is full, or the stream is none
                logger.info("%s: told later: %s", queue.kind.name, error)
                return
            queue.note_sent(batches, *answer)
            batches = queue.next_batches(self._sealer)


def minute_of(moment: float) -> int:
    """The beginning of the minute that holds a moment, both in Unix seconds."""
    return int(moment) // MINUTE_S * MINUTE_S


def pause_s(now: float) -> float:
    """How long to wait: the usual time, but not beyond the end of the minute."""
    return min(GATHER_EVERY_S, MINUTE_S - now % MINUTE_S + MARGIN_S)


def _order(place: bytes) -> tuple[int, ...]:
    return tuple(map(int, place.split(b"-")))
