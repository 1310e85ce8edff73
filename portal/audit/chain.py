"""The chain of the audit trail: each row's hash covers the row and the hash before it.

``hash = HMAC-SHA256(key, previous_hash + LF + canonical row)``, in lower-case hex. The canonical
row is the compact JSON array of :data:`FIELDS`, each as text (numbers in decimal, times in ISO 8601
UTC with microseconds, nothing as the empty text), without :data:`LATER_FIELDS` where all of those
are empty: so are the rows of before they were there. The key never enters the database, so someone
who can rewrite every row still cannot make a chain that holds.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

# The order is part of the format. A field may be added only at the end of a later version's.
_FIRST_FIELDS = (
    "sequence",
    "at",
    "event",
    "actor_kind",
    "actor_id",
    "actor",
    "project",
    "environment",
    "subject_kind",
    "subject",
    "version",
    "before",
    "after",
    "reason",
    "request_id",
    "ip",
    "user_agent",
)
LATER_FIELDS = ("requested_by", "approved_by", "change_request", "part_of_kind", "part_of")
FIELDS = (*_FIRST_FIELDS, *LATER_FIELDS)
COLUMNS = (*FIELDS, "previous_hash", "hash")
GENESIS = "0" * 64
ANOTHER_ROW = "another row stood here when the chain was anchored"
_BLOCK = 64  # bytes, of SHA-256


def canonical(values: Sequence[object]) -> bytes:
    """The bytes that are hashed for one row; ``values`` in the order of FIELDS."""
    row, first = texts(values), len(_FIRST_FIELDS)
    return encode(row if any(row[first:]) else row[:first])


def texts(values: Sequence[object]) -> list[str]:
    return [value if type(value) is str else _text(value) for value in values]


def encode(row: Sequence[str]) -> bytes:
    """Texts as the compact JSON array that is hashed; the standard library writes the same bytes.

    Raises TypeError for anything but Unicode text.
    """
    return orjson.dumps(row)


def link(key: bytes, previous_hash: str, row: bytes) -> str:
    return hmac.new(key, previous_hash.encode() + b"\n" + row, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Fault:
    sequence: int
    problem: str


class Place(NamedTuple):
    sequence: int
    hash: str


ORIGIN = Place(0, GENESIS)
# As the database has it: sequence, canonical row, previous hash and hash, each a text.
Row = tuple[str, str, str, str]


def first_fault(
    rows: Iterable[Row],
    *,
    key: bytes,
    anchors: Mapping[int, str],
    start: Place = ORIGIN,
    exactly: Callable[[int], bytes] | None = None,
) -> Fault | None:
    """Walk the chain from ``start`` in order of sequence; None when every link holds.

    ``anchors`` (sequence -> hash) are rows known from elsewhere, the chain's head among them: the
    chain must pass through each that is not before ``start``. Rows after the last anchor are fine
    as long as they link: they were added while we walked, and nobody without the key can add one
    that links. ``exactly`` gives a row's canonical bytes where those in ``rows`` may be written
    otherwise; it is asked before a row is called wrong.
    """
    if anchors.get(start.sequence, start.hash) != start.hash:
        return Fault(start.sequence, ANOTHER_ROW)
    sequence, last_hash, linked = start.sequence, start.hash, linker(key)
    for found, content, previous_hash, own_hash in rows:
        sequence += 1
        if found != str(sequence):
            return Fault(sequence, f"missing: row {found} follows row {sequence - 1}")
        if previous_hash != last_hash:
            return Fault(sequence, "does not continue the row before it")
        if linked(f"{last_hash}\n{content}".encode()) != own_hash and (
            not exactly or linked(last_hash.encode() + b"\n" + exactly(sequence)) != own_hash
        ):
            return Fault(sequence, "its content does not match its hash")
        if sequence in anchors and anchors[sequence] != own_hash:
            return Fault(sequence, ANOTHER_ROW)
        last_hash = own_hash
    return _cut_short(sequence, anchors)


def _cut_short(last: int, anchors: Mapping[int, str]) -> Fault | None:
    end = max(anchors, default=0)
    return Fault(last + 1, f"missing: the chain went on to row {end}") if last < end else None


def linker(key: bytes) -> Callable[[bytes], str]:
    """HMAC-SHA256 in hex with the work that depends on the key alone done once.

    ``hmac.new`` prepares the key for each message, which costs more than hashing a row.
    """
    padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner_copy = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)).copy
    outer_copy = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)).copy

    def linked(message: bytes) -> str:
        inner, outer = inner_copy(), outer_copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.hexdigest()

    return linked


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)
