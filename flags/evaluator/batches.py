"""Batches of telemetry: their bodies, and which of them were counted already.

A body is read a piece at a time: parsing all of it would hold up other requests. A piece ends
between two outcomes. Where that is, a parser alone could tell; but what is JSON after all that was
cut off is closed can only have been cut there, so that a place that looks like one is tried. A body
in which none is found is read as a whole.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from redis.exceptions import RedisError

from flags.evaluator.body import BadBody, parse
from flags.evaluator.contents import ApiKey
from flags.evaluator.framing import RequestLimits
from flags.evaluator.link import Link
from flags.evaluator.memory import Memory

PIECE_BYTES: Final = 16 * 1024
TRIES: Final = 8
MAX_ID_CHARS: Final = 200
MEMBERS: Final = frozenset(("batch_id", "outcomes"))
_BEGIN: Final = re.compile(rb'"outcomes"\s*:\s*\[')
_BETWEEN: Final = re.compile(rb"\}\s*,\s*(?=\{)")

SHAPE: Final = 'send {"outcomes": […]}, and a "batch_id" where the batch may be sent again'
NO_ID: Final = f"batch_id must be a text of 1 to {MAX_ID_CHARS} characters"

DAY_S: Final = 24 * 3600
MOST_HERE: Final = 50_000
# Kept in Redis of one key that decides, and of one that anybody may hold.
MOST_OF: Final = {True: 1_000_000, False: 10_000}


@dataclass(slots=True)
class Batch:
    """A batch; ``id`` is known once all pieces were read, and empty where it has none."""

    raw: bytes
    limits: RequestLimits
    id: str = ""
    count: int = 0

    def pieces(self) -> Iterator[list[object]]:
        """Its outcomes, some at a time. Raises BadBody, maybe only in the end."""
        at, head = self._begin()
        while at and len(self.raw) - at > PIECE_BYTES:
            end, piece = self._cut(at)
            if not end:
                break
            yield self._counted(piece)
            at = end
        rest = self._rest(at, head)
        self._read_id(rest)
        yield self._counted(rest["outcomes"])

    def _begin(self) -> tuple[int, dict[str, Any]]:
        found = _BEGIN.search(self.raw, 0, PIECE_BYTES) if len(self.raw) > PIECE_BYTES else None
        if found is None:
            return 0, {}
        try:
            head = parse(self.raw[: found.end()] + b"]}", self.limits)
        except BadBody:
            return 0, {}
        if not isinstance(head, dict) or head.pop("outcomes", None) != []:
            return 0, {}
        return found.end(), head

    def _cut(self, at: int) -> tuple[int, list[object]]:
        places = _BETWEEN.finditer(self.raw, at + PIECE_BYTES, at + 4 * PIECE_BYTES)
        for place in islice(places, TRIES):
            try:
                piece = parse(b"[%b]" % self.raw[at : place.start() + 1], self.limits)
            except BadBody:
                continue
            if isinstance(piece, list):
                return place.end(), piece
        return 0, []

    def _rest(self, at: int, head: dict[str, Any]) -> dict[str, Any]:
        try:
            rest = parse(b'{"outcomes":[' + self.raw[at:] if at else self.raw, self.limits)
        except BadBody:
            if at:
                parse(self.raw, self.limits)  # says where in all of it
            raise
        if not isinstance(rest, dict) or type(rest.get("outcomes")) is not list:
            raise BadBody(SHAPE)
        for name in head.keys() & rest.keys():
            raise BadBody(f"the body has a duplicate member {name[:100]!r}")
        return head | rest

    def _read_id(self, document: dict[str, Any]) -> None:
        if not document.keys() <= MEMBERS:
            name = min(document.keys() - MEMBERS)
            raise BadBody(f"a batch has no field {name[:100]!r}: {SHAPE}")
        self.id = document.get("batch_id", "")
        if type(self.id) is not str or len(self.id) > MAX_ID_CHARS:
            raise BadBody(NO_ID)
        if "batch_id" in document and not self.id:
            raise BadBody(NO_ID)

    def _counted(self, piece: list[object]) -> list[object]:
        self.count += len(piece)
        if self.count > self.limits.telemetry_outcomes:
            most = self.limits.telemetry_outcomes
            raise BadBody(f"a batch has at most {most} outcomes", status=413)
        return piece


@dataclass(slots=True)
class BatchIds:
    """Counts each batch once within a day, whichever evaluator it comes to.

    Redis remembers for all evaluators. While it is away each remembers what it counted itself, so
    that a batch sent again to another one counts twice. Memory is bounded on both sides: the
    oldest are forgotten first.
    """

    memory: Memory
    link: Link | None
    here: "OrderedDict[bytes, float]" = field(default_factory=OrderedDict)

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
