"""What waits to be sent up: a queue for each kind, of minutes and of batches.

A minute becomes batches when its turn comes; a batch may be sent again, for the worker stores it
once. What has waited for too long, or is too much, is dropped, oldest first, counted, and said with
the next batch.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any, Final, Protocol

from flags.channel import IntakeBatch, IntakeKind, Sealer
from flags.channel.intake import MINUTE_S
from flags.evaluator.link import order_of

logger = logging.getLogger("aviary.evaluator")

AT_ONCE: Final = 50
# Where nobody takes batches for so long, fewer and larger ones are sent: they fit for longer.
SLOW_AFTER_S: Final = 30
SLOW_EVERY_S: Final = 60.0


class Gathered(Protocol):
    def weigh(self) -> tuple[int, int]:
        """How many things it stands for, and the bytes that they take, roughly."""

    def merge(self, newer: Any) -> int | None:
        """Take in what was counted later within the same minute; returns how many things of it do
        not fit, where memory is bounded."""

    def close(self) -> "Gathered":
        """It as it waits once its minute is over."""

    def contents(self) -> Iterator[tuple[int, object]]:
        """It as JSON, in parts that each fit into a batch, with how many things each holds."""


@dataclass(slots=True)
class Waiting:
    """What waits of one minute: gathered, and growing, or else a batch that keeps its id.

    ``since`` is in monotonic time, ``told`` how many dropped things a batch speaks of, and
    ``place`` where Redis once had it.
    """

    since: float
    minute: int
    last_at: float
    gathered: Gathered | None = None
    sealed: bytes = b""
    count: int = 0
    size: int = 0
    told: int = 0
    place: tuple[int, ...] = ()


@dataclass(slots=True)
class IntakeQueue:
    """What waits of one kind, batches first, and what Redis has and the worker may not have.

    ``dropped`` counts since the process started what the portal never gets; ``untold`` is what of
    that no batch has spoken of yet.
    """

    kind: IntakeKind
    gather: Callable[[], Gathered]
    waiting: deque[Waiting] = field(default_factory=deque)
    sent: deque[Waiting] = field(default_factory=deque)
    dropped: int = 0
    untold: int = 0
    due_at: float = 0.0
    is_losing: bool = False

    @property
    def count(self) -> int:
        return sum(one.count for one in self.waiting)

    @property
    def oldest_s(self) -> float:
        return max((time.monotonic() - one.since for one in self.waiting), default=0.0)

    def add(self, minute: int, last_at: float) -> None:
        gathered = self.gather()
        if not gathered.weigh()[0]:
            return
        newest = self.waiting[-1] if self.waiting else None
        if newest is None or newest.gathered is None or newest.minute != minute:
            if newest is not None and newest.gathered is not None:
                newest.gathered = newest.gathered.close()
                newest.count, newest.size = newest.gathered.weigh()
            newest = Waiting(time.monotonic(), minute, last_at, gathered)
            self.waiting.append(newest)
        else:
            self.lose(newest.gathered.merge(gathered) or 0, 0)
            gathered, newest.last_at = newest.gathered, last_at
        newest.count, newest.size = gathered.weigh()

    def drop(self, keep_s: float, keep_bytes: int) -> None:
        """Drop what is too old or too much, but never all: what Redis has goes first."""
        oldest_at = time.monotonic() - keep_s
        size = sum(one.size for one in (*self.sent, *self.waiting))
        keep_bytes *= self.kind.share
        while self.sent and (size > keep_bytes or self.sent[0].since < oldest_at):
            size -= self.sent.popleft().size
        for old in list(self.waiting):
            # What Redis once had may be stored: only the worker knows, so that is asked again.
            is_old = old.since < oldest_at and not old.place
            if is_old or (size > keep_bytes and len(self.waiting) > 1):
                self.waiting.remove(old)
                size -= old.size
                self.lose(old.count, old.told)

    def lose(self, count: int, told: int) -> None:
        self.dropped += count
        self.untold += count + told
        if count and not self.is_losing:
            self.is_losing = True
            text = "%s: %d dropped, and maybe more: Redis or the worker is away for too long"
            logger.warning(text, self.kind.name, count)

    def next_batches(self, sealer: Sealer, *, first: bool = False) -> list[Waiting]:
        if not self.waiting and self.untold and first:
            now = time.time()
            self.waiting.append(Waiting(time.monotonic(), minute_of(now), now))
            self.waiting[0] = self._close(sealer, self.waiting[0], 0, None)
        elif self.waiting and (gathered := self.waiting[0].gathered) is not None:
            one = self.waiting[0]
            batches = [self._close(sealer, one, *part) for part in gathered.contents()]
            self.waiting.popleft()
            self.waiting.extendleft(reversed(batches))
        return list(islice(takewhile(lambda one: one.sealed, self.waiting), AT_ONCE))

    def _close(self, sealer: Sealer, one: Waiting, count: int, content: object) -> Waiting:
        told, self.untold = self.untold, 0
        batch = IntakeBatch(self.kind, one.minute, one.last_at, content, count, told)
        sealed = batch.seal(sealer)
        size = len(sealed)
        return Waiting(one.since, one.minute, one.last_at, None, sealed, count, size, told)

    def note_sent(
        self, lost: int, untold: int, oldest: bytes, age_s: int, places: list[bytes]
    ) -> None:
        """Redis has them. What lies before the oldest that it still has, the worker stored."""
        for place in places:
            self.waiting[0].place = order_of(place)
            self.sent.append(self.waiting.popleft())
        while self.sent and (not oldest or self.sent[0].place < order_of(oldest)):
            self.sent.popleft()
        self.is_losing = self.is_losing and (bool(lost) or age_s > SLOW_AFTER_S)
        self.lose(lost, untold)
        pause_s = SLOW_EVERY_S if age_s > SLOW_AFTER_S else self.kind.every_s
        self.due_at = time.monotonic() + pause_s

    def send_again(self) -> None:
        self.waiting.extendleft(reversed(self.sent))
        self.sent.clear()


def minute_of(moment: float) -> int:
    """The beginning of the minute that holds a moment, both in Unix seconds."""
    return int(moment) // MINUTE_S * MINUTE_S
