"""A connection without a network: what comes is cut wherever a test likes."""

import asyncio
import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from flags.evaluator.counters import Counters
from flags.evaluator.framing import Receive, RequestLimits, Scope, Send
from flags.evaluator.protocol import Protocol


class Line(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with what it was asked."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    names = sorted({name.decode() for name, _value in scope["headers"]})
    told = [scope["method"], scope["path"], names, body.decode("latin-1")]
    answer = json.dumps(told).encode()
    length = (b"content-length", b"%d" % len(answer))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": answer})


class Connection:
    """One client's connection to ``echo``."""

    def __init__(self, limits: RequestLimits) -> None:
        make = partial(Protocol, limits=limits, counters=Counters())
        config = uvicorn.Config(
            echo, ws="none", lifespan="off", log_config=None, proxy_headers=False
        )
        self.line = Line()
        self._protocol = make(
            config=config, server_state=ServerState(), app_state={}, _loop=asyncio.get_event_loop()
        )
        self._protocol.connection_made(self.line)

    async def send(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            self._protocol.data_received(part)
            await self.settle()

    async def settle(self) -> None:
        """Let everything happen that does not wait for the network or the clock."""
        for _turn in range(20):
            await asyncio.sleep(0)

    def close(self) -> None:
        self._protocol.connection_lost(None)

    @property
    def asked(self) -> list[Any]:
        """What the application was asked, as [method, path, names of headers, body]."""
        found, rest = [], self.line.written
        while rest.startswith(b"HTTP/1.1 200"):
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            found.append(json.loads(rest[:length]))
            rest = rest[length:]
        return found

    @property
    def refusal(self) -> int:
        """The status of what was answered last, 0 where that was no refusal."""
        last = self.line.written.rpartition(b"HTTP/1.1 ")[2]
        status = int(last[:3] or b"0")
        return 0 if status == 200 else status


def ask(*parts: bytes, limits: RequestLimits | None = None) -> Connection:
    """Send the parts one after another; returns the connection as it is then, closed."""

    async def run() -> Connection:
        connection = Connection(limits or RequestLimits())
        await connection.send(parts)
        connection.close()
        await connection.settle()
        return connection

    return asyncio.run(run())
