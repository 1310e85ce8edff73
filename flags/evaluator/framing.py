"""Where a request's head and body end, and what neither may be, before any of it is parsed."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

# Of one body: each costs as much as a small request.
MAX_CHUNKS: Final = 2_000
MAX_CHUNK_LINE_BYTES: Final = 256

_END: Final = b"\r\n\r\n"
_UPGRADE: Final = re.compile(rb"\r\nupgrade(?=:)", re.IGNORECASE)
# As long as the name it stands for, so that nothing moves.
_IGNORED: Final = b"\r\nignored"
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")

NOT_HTTP: Final = "this is not a request of HTTP/1.1: send its lines ended by CR and LF"
BAD_CHUNK: Final = "the chunks of the body are malformed"


@dataclass(frozen=True, slots=True)
class RequestLimits:
    line_bytes: int = 8 * 1024
    header_bytes: int = 16 * 1024
    header_lines: int = 100
    head_s: float = 10
    body_bytes: int = 1024 * 1024
    body_s: float = 10
    json_depth: int = 64
    json_values: int = 10_000
    telemetry_bytes: int = 4 * 1024 * 1024
    telemetry_outcomes: int = 50_000


DEFAULT_LIMITS: Final = RequestLimits()


class RequestRefused(Exception):
    def __init__(self, status: int, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.details = details


def find_end(data: bytes, at: int, limits: RequestLimits) -> int:
    """Where the head that begins at ``at`` ends; -1 while that has not come. Raises RequestRefused.

    Looks no further than a head may be long, however much has come.
    """
    most = at + limits.line_bytes + limits.header_bytes + 2 * len(_END)
    found = data.find(_END, at, most)
    end = found + len(_END) if found >= 0 else -1
    seen = min(len(data), most) if end < 0 else end
    if not b"A"[0] <= data[at] <= b"Z"[0]:
        raise RequestRefused(400, NOT_HTTP)
    _check_sizes(data, at, seen, limits)
    # CR may still be waiting for its LF, but never the other way round.
    if data.count(b"\n", at, seen) != data.count(b"\r\n", at, seen):
        raise RequestRefused(400, NOT_HTTP)
    if data.startswith(b"CONNECT ", at):
        raise RequestRefused(501, "this is no proxy: send GET or POST")
    return end


def _check_sizes(data: bytes, at: int, seen: int, limits: RequestLimits) -> None:
    line_end = data.find(b"\r\n", at, seen)
    line_bytes = (seen if line_end < 0 else line_end) - at
    if line_bytes > limits.line_bytes:
        raise RequestRefused(414, f"the address is longer than {limits.line_bytes} bytes")
    if seen - at - line_bytes - 2 * len(b"\r\n") > limits.header_bytes:
        raise RequestRefused(431, f"the headers are larger than {limits.header_bytes} bytes")
    if data.count(b"\r\n", at, seen) - 2 > limits.header_lines:
        raise RequestRefused(431, f"there are more than {limits.header_lines} headers")


def without_upgrade(head: bytes) -> bytes:
    """The head with ``Upgrade`` under another name: the parser would leave the body unread."""
    return _UPGRADE.sub(_IGNORED, head) if b"pgrade" in head.lower() else head


class Chunks:
    """Where a chunked body ends. The parser reads the same bytes; the two have to agree."""

    def __init__(self, limits: RequestLimits) -> None:
        self.is_done = False
        self._limits = limits
        self._left = 0
        self._line = b""
        self._lines = 0
        self._in_trailers = False

    def take(self, data: bytes, at: int) -> int:
        while at < len(data) and not self.is_done:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            else:
                at = self._take_line(data, at)
        return at

    def _take_line(self, data: bytes, at: int) -> int:
        found = data.find(b"\n", at, at + MAX_CHUNK_LINE_BYTES)
        end = found + 1 if found >= 0 else min(len(data), at + MAX_CHUNK_LINE_BYTES)
        self._line += data[at:end]
        if len(self._line) > MAX_CHUNK_LINE_BYTES or self._lines > MAX_CHUNKS:
            raise RequestRefused(
                400, f"send the body in at most {MAX_CHUNKS} chunks, in short lines"
            )
        if found >= 0:
            line, self._line = self._line, b""
            self._lines += 1
            self._read(line)
        return end

    def _read(self, line: bytes) -> None:
        if self._in_trailers:
            self.is_done = line == b"\r\n"
            return
        size = _CHUNK_LINE.fullmatch(line)
        if size is None:
            raise RequestRefused(400, BAD_CHUNK)
        count = int(size[1], 16)
        self._in_trailers = not count
        self._left = count + len(b"\r\n") if count else 0


# The shapes that ASGI passes around, named once.


Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]
Headers: TypeAlias = dict[bytes, bytes]
