"""The chain of the audit trail: each row's hash covers the row and the hash before it.

``hash = HMAC-SHA256(key, previous_hash + LF + canonical row)``, in lower-case hex. The canonical
row is the compact JSON array of :data:`FIELDS`, each as text (numbers in decimal, times in ISO 8601
UTC with microseconds, nothing as the empty text). The key never enters the database, so someone who
can rewrite every row still cannot make a chain that holds.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

# The order is part of the format. A field may be added only together with a new format version.
FIELDS = (
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
GENESIS = "0" * 64


def canonical(values: Sequence[object]) -> bytes:
    """The bytes that are hashed for one row; ``values`` in the order of FIELDS."""
    return encode(texts(values))


def texts(values: Sequence[object]) -> list[str]:
    """The values as they are hashed, each a text."""
    return [_text(value) for value in values]


def encode(row: Sequence[str]) -> bytes:
    """Texts as the compact JSON array that is hashed; the standard library writes the same bytes.

    Raises TypeError for anything that is no Unicode text.
    """
    return orjson.dumps(row)


def link(key: bytes, previous_hash: str, row: bytes) -> str:
    """The hash of a row that follows ``previous_hash``."""
    return hmac.new(key, previous_hash.encode() + b"\n" + row, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as the database has it; ``values`` in the order of FIELDS."""

    values: tuple[object, ...]
    previous_hash: str
    hash: str

    @property
    def sequence(self) -> int:
        return int(str(self.values[0]))


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row at which the chain does not hold, and why."""

    sequence: int
    problem: str


def first_fault(
    rows: Iterable[StoredRow], *, key: bytes, anchors: Mapping[int, str]
) -> Fault | None:
    """Walk the chain in order of sequence; None when every link holds.

    ``anchors`` (sequence -> hash) are rows known from elsewhere, the chain's head among them: the
    chain must pass through each. Rows after the last anchor are fine as long as they link: they
    were added while we walked, and nobody without the key can add one that links.
    """
    last = StoredRow((0,), GENESIS, GENESIS)
    for row in rows:
        fault = _check_link(last, row, key)
        if fault:
            return fault
        if anchors.get(row.sequence, row.hash) != row.hash:
            return Fault(row.sequence, "another row stood here when the chain was anchored")
        last = row
    end = max(anchors, default=0)
    if last.sequence < end:
        return Fault(last.sequence + 1, f"missing: the chain went on to row {end}")
    return None


def _check_link(last: StoredRow, row: StoredRow, key: bytes) -> Fault | None:
    if row.sequence != last.sequence + 1:
        return Fault(last.sequence + 1, f"missing: row {row.sequence} follows row {last.sequence}")
    if row.previous_hash != last.hash:
        return Fault(row.sequence, "does not continue the row before it")
    if not hmac.compare_digest(row.hash, link(key, last.hash, canonical(row.values))):
        return Fault(row.sequence, "its content does not match its hash")
    return None


def stored_rows(tuples: Iterable[tuple[object, ...]]) -> Iterator[StoredRow]:
    """Rows from tuples of FIELDS followed by previous_hash and hash."""
    for values in tuples:
        yield StoredRow(values[:-2], str(values[-2]), str(values[-1]))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)
