"""A connection: one request at a time, each within limits, and ``Upgrade`` as if it were not there.

uvicorn hands its parser whatever comes. This finds out first where a head ends and refuses what is
too large or too slow; then the parser gets exactly that head, and exactly its body. Where the two
disagree about an end, the connection is closed, so that no bytes pass for another request.
"""

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from flags.evaluator import framing, ofrep
from flags.evaluator.counters import Counters
from flags.evaluator.framing import Chunks, RequestLimits, RequestRefused

# A client that is still sending reads the refusal before its connection ends.
LINGER_S: Final = 1.0
_MALFORMED: Final = "the request is malformed"


class Protocol(HttpToolsProtocol):
    def __init__(self, *, limits: RequestLimits, counters: Counters, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._limits, self._counters = limits, counters
        # What has come and is not read yet: a part of a head, or the next request.
        self._held = b""
        # How much of a body is still to come, or the chunks that tell.
        self._body: int | Chunks = 0
        self._is_whole = True
        self._is_refused = False
        self._refusal: RequestRefused | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Nobody may stay without asking anything."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._unset_keepalive_if_required()
        self._held, self._is_refused = b"", True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        self._read(self._held + data if self._held else data)

    def on_headers_complete(self) -> None:
        self._body = 0
        for name, value in self.headers:
            if name == b"content-length":
                self._body = int(value)
            elif name == b"transfer-encoding":
                if value.lower() != b"chunked":
                    details = "there is no other Transfer-Encoding here"
                    details = f"send the body as it is or in chunks: {details}"
                    self._refusal = RequestRefused(501, details)
                    return
                self._body = Chunks(self._limits)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._held and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self.loop.call_soon(self._read_held)

    def _read_held(self) -> None:
        held, self._held = self._held, b""
        if held and not self._is_refused and not self.transport.is_closing():
            self._read(held)

    def _read(self, data: bytes) -> None:
        try:
            at = self._read_body(data, 0)
            at = self._read_head(data, at)
            at = self._read_body(data, at)
        except RequestRefused as refused:
            self._refuse(refused)
            return
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(RequestRefused(400, _MALFORMED))
            return
        self._held = data[at:]
        if self._is_whole and self._is_busy and self._held:
            self.flow.pause_reading()

    @property
    def _is_busy(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _read_head(self, data: bytes, at: int) -> int:
        if not self._is_whole or at == len(data) or self._is_busy:
            return at
        start = at + 2 if data.startswith(b"\r\n", at) else at  # old clients leave one behind
        end = framing.find_end(data, start, self._limits) if start < len(data) else -1
        if end < 0:
            self._wait(self._limits.head_s, "the head of the request did not arrive in time")
            return at
        self._forget_deadline()
        self._is_whole = False
        self.parser.feed_data(framing.without_upgrade(data[start:end]))
        if self._refusal is not None:
            raise self._refusal
        if self._is_whole != (self._body == 0):
            raise RequestRefused(400, _MALFORMED)
        return end

    def _read_body(self, data: bytes, at: int) -> int:
        if self._is_whole:
            return at
        if isinstance(self._body, Chunks):
            end = self._body.take(data, at)
            is_done = self._body.is_done
        else:
            end = min(len(data), at + self._body)
            self._body -= end - at
            is_done = self._body == 0
        if end > at:
            self.parser.feed_data(data[at:end])
        if self._is_whole != is_done:
            raise RequestRefused(400, framing.BAD_CHUNK)
        if is_done:
            self._forget_deadline()
        else:
            self._wait(self._limits.body_s, "the body did not arrive in time")
        return end

    def _wait(self, seconds: float, why: str) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self._refuse, RequestRefused(408, why))

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, refused: RequestRefused) -> None:
        self._forget_deadline()
        self._is_refused, self._held = True, b""
        self.flow.pause_reading()
        if self._is_busy:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._counters.requests["connection", refused.status] += 1
        self.transport.write(_written(refused))
        self.loop.call_later(LINGER_S, self.transport.close)


def _written(refused: RequestRefused) -> bytes:
    """Any page may read it: nobody's key has been looked at."""
    body = ofrep.error(refused.details)
    return b"".join(
        (
            STATUS_LINE[refused.status],
            b"content-type: application/json\r\naccess-control-allow-origin: *\r\n",
            b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body),
            body,
        )
    )
