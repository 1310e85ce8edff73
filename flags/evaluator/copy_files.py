"""Files that hold a copy of what an environment was last known to be, two generations of each.

A file is the checksum of its lines, the sealed head, and one line per sealed document. It is read
as mistrustfully as Redis: a checksum finds what a disk lost, the seals find what somebody wrote.
Its modification time says when Redis last confirmed it. Everything here waits for the disk, so it
runs in a thread. Several evaluators may share the folder.
"""

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from flags.channel import Sealer
from flags.channel.documents import HEAD_FIELD
from flags.evaluator.memory import Environment, Position

MAGIC: Final = b"aviary-copy-1"
PREVIOUS: Final = ".previous"
# Lines written before requests get the interpreter again.
SLICE: Final = 64


@dataclass(frozen=True, slots=True)
class Copy:
    head: bytes
    documents: Mapping[bytes, bytes]
    # In Unix seconds.
    confirmed_at: float


class CopyFolder:
    """The folder. Raises OSError when it cannot be used; the copies that are there stay whole."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self.path, self._sealer = path, sealer

    def environment_ids(self) -> set[int]:
        if not self.path.is_dir():
            return set()
        names = (one.name.removesuffix(PREVIOUS) for one in self.path.iterdir())
        return {int(name) for name in names if name.isascii() and name.isdigit()}

    def generations(self, environment_id: int) -> tuple[Path, Path]:
        newest = self.path / str(environment_id)
        return newest, newest.with_name(newest.name + PREVIOUS)

    def write(self, state: Environment, *, confirmed_at: float) -> bool:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        newest, previous = self.generations(state.environment_id)
        with self._lock() as is_ours:
            if not is_ours:
                return False
            there = self._position(newest, state.environment_id)
            if there is None or there < state.position:
                temporary = newest.with_name(f".{newest.name}")
                try:
                    _write(temporary, _lines(state))
                    os.utime(temporary, (confirmed_at, confirmed_at))
                    if there is not None:  # else it is of no use, and the one before may be
                        newest.rename(previous)
                    temporary.rename(newest)
                finally:
                    temporary.unlink(missing_ok=True)
                _sync(self.path)
        return True

    def confirm(self, environment_id: int, confirmed_at: float) -> None:
        """Note that the copy is still what Redis has. Raises FileNotFoundError where it is gone."""
        newest = self.generations(environment_id)[0]
        if newest.stat().st_mtime < confirmed_at:
            os.utime(newest, (confirmed_at, confirmed_at))

    def remove(self, environment_id: int, *, unless_since: float) -> None:
        files = [one for one in self.generations(environment_id) if one.exists()]
        if not any(one.stat().st_mtime > unless_since for one in files):
            for one in files:
                one.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        """Whether we have the folder to ourselves; never waits, for the holder may be frozen."""
        descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_ours = True
            except BlockingIOError:
                is_ours = False
            yield is_ours
        finally:
            os.close(descriptor)

    def _position(self, path: Path, environment_id: int) -> Position | None:
        try:
            head = read_copy(path).head
            envelope = self._sealer.open(head, environment_id=environment_id, field=HEAD_FIELD)
        except (FileNotFoundError, ValueError):
            return None
        return envelope.epoch, envelope.version


def read_copy(path: Path) -> Copy:
    """A copy whose checksum holds. Raises ValueError when it does not, OSError."""
    with path.open("rb") as file:
        confirmed_at = os.fstat(file.fileno()).st_mtime
        content = file.read()
    first, _newline, body = content.partition(b"\n")
    if first != _checksum([body]):
        raise ValueError("its checksum does not hold")
    head, *documents = (line.encode() for line in orjson.loads(b"[%b]" % body[:-2]))
    pairs = zip(documents[::2], documents[1::2], strict=True)
    return Copy(head, dict(pairs), min(confirmed_at, time.time()))


def _lines(state: Environment) -> list[bytes]:
    lines = [b"%b,\n" % orjson.dumps(state.sealed_head.decode())]
    for count, (name, held) in enumerate(state.fields.items()):
        pair = orjson.dumps(name), orjson.dumps(held.sealed.decode())
        lines.append(b"%b,%b,\n" % pair)
        if count % SLICE == 0:
            time.sleep(0)
    return lines


def _checksum(parts: list[bytes]) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return b"%b %b" % (MAGIC, digest.hexdigest().encode())


def _write(path: Path, lines: list[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_checksum(lines) + b"\n")
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
