"""Anchors: where the chain stood at a time, noted outside the database.

Who can rewrite the database and knows the key can make another chain that holds; it will not pass
through the anchors. Each is one line of JSON, sealed with the audit key, so that a line somebody
made up is seen::

    {"at":"2026-03-01T12:00:00.000000+00:00","format":"aviary-audit-anchor/1","hash":"…",
     "mac":"…","sequence":42}
"""

import fcntl
import hmac
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from portal.audit import sealing

FORMAT = "aviary-audit-anchor/1"
_LONGEST_LINE = 1024
_HOUR = len("2026-03-01T12")


class BadAnchor(ValueError):
    """A line that nobody with the audit key wrote."""


@dataclass(frozen=True, slots=True)
class Anchor:
    sequence: int
    hash: str
    at: str

    @classmethod
    def taken(cls, sequence: int, own_hash: str, *, now: datetime) -> "Anchor":
        return cls(sequence, own_hash, now.astimezone(UTC).isoformat(timespec="microseconds"))

    def names(self, sequence: int, own_hash: str) -> bool:
        return (self.sequence, self.hash) == (sequence, own_hash)

    def line(self, key: bytes) -> bytes:
        """The anchor as it is written down, without a line feed."""
        document = self._document()
        return sealing.canonical(document | {"mac": self._mac(key)})

    def _document(self) -> dict[str, object]:
        return {"format": FORMAT, "sequence": self.sequence, "hash": self.hash, "at": self.at}

    def _mac(self, key: bytes) -> str:
        return sealing.mac(key, FORMAT, sealing.canonical(self._document()))

    @classmethod
    def parse(cls, line: bytes, key: bytes) -> "Anchor":
        """Read a line. Raises BadAnchor for one that was not written with this key."""
        try:
            document = json.loads(line)
            anchor = cls(document["sequence"], document["hash"], document["at"])
            sealed = hmac.compare_digest(document["mac"], anchor._mac(key))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise BadAnchor("it is no anchor") from None
        if not sealed or type(anchor.sequence) is not int:
            raise BadAnchor("it was not written with this audit key")
        return anchor


@dataclass(slots=True)
class KnownAnchors:
    """What a file of anchors says: sequence -> hash, and which lines cannot be believed."""

    hashes: dict[int, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


def read(path: Path, key: bytes) -> KnownAnchors:
    """Read a file of anchors. Raises OSError when it cannot be read."""
    known = KnownAnchors()
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), start=1):
            try:
                anchor = Anchor.parse(line, key)
            except BadAnchor as error:
                known.complaints.append(f"line {number}: {error}")
                continue
            if known.hashes.setdefault(anchor.sequence, anchor.hash) != anchor.hash:
                complaint = f"row {anchor.sequence} was anchored before with another hash"
                known.complaints.append(f"line {number}: {complaint}")
    return known


# Row -> hash, or OSError where that cannot be read now.
Source = Callable[[], Mapping[int, str]]
_sources: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    """Have verifying look at anchors that are kept elsewhere too; ``name`` is for people."""
    _sources[name] = source


def read_elsewhere() -> Iterator[tuple[str, Mapping[int, str] | OSError]]:
    for name, read_source in _sources.items():
        try:
            yield name, read_source()
        except OSError as error:
            yield name, error


class AnchorFile:
    """The file that anchors are added to, held by one process at a time."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._file = file
        self._key = key

    def last(self) -> Anchor | None:
        """The last anchor in it, or None; lines that cannot be believed do not count."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - 2 * _LONGEST_LINE))
        lines = self._file.read().splitlines()
        try:
            return Anchor.parse(lines[-1], self._key) if lines else None
        except BadAnchor:
            return None

    def append(self, anchor: Anchor) -> None:
        """Add a line; when this returns it is on the disk."""
        self._file.write(anchor.line(self._key) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def opened(path: Path, key: bytes) -> Iterator[AnchorFile]:
    """Open the file for adding; create it, private, if missing. Raises OSError."""
    with _locked(path) as file:
        _sync_folder(path.parent)
        yield AnchorFile(file, key)


def thin(path: Path, key: bytes, *, before: datetime) -> None:
    """Of the anchors from before a time keep the last of each hour, and every other line.

    The file is replaced as a whole. Raises OSError.
    """
    with _locked(path) as file:
        file.seek(0)
        lines = file.read().splitlines(keepends=True)
        kept = list(_thinned(lines, key, before.astimezone(UTC).isoformat()))
        if len(kept) == len(lines):
            return
        shorter = path.with_name(f"{path.name}.thinned")
        descriptor = os.open(shorter, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as new:
            new.writelines(kept)
            new.flush()
            os.fsync(new.fileno())
        shorter.replace(path)
        _sync_folder(path.parent)


def _thinned(lines: list[bytes], key: bytes, before: str) -> Iterator[bytes]:
    """Newest first it is decided, oldest first it is told."""
    kept, hour = [], ""
    for line in reversed(lines):
        try:
            at = Anchor.parse(line, key).at
        except BadAnchor:
            at = ""  # what nobody can believe is for a person to look at
        if not at or at >= before or at[:_HOUR] != hour:
            kept.append(line)
        hour = at[:_HOUR] or hour
    return reversed(kept)


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file that has this name, held by one process at a time: thinning gives it another."""
    while True:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield file
                return


def _sync_folder(folder: Path) -> None:
    """So that a file just created is still there after a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
