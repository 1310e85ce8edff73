"""A small TCP proxy on loopback, to cut connections or to swallow what they carry."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class Proxy:
    """Carries bytes from a TCP port of its own to a unix socket, while it is let."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._lines: set[_Line] = set()
        self._refusing = False
        self._only: bytes | None = None
        self._started = threading.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Close every connection and take no other."""
        self._refusing = True
        self._loop.call_soon_threadsafe(self._close_all)

    def blackhole(self, *, only: bytes) -> None:
        """Connections stay open; from where these bytes were sent nothing gets through any more."""
        self._only = only

    def hush(self) -> None:
        """Let every connection there is fall silent, as a firewall does to idle ones.

        New ones work.
        """
        for line in list(self._lines):
            line.is_silent = True

    def heal(self) -> None:
        """Carry on. What was swallowed is lost, so connections of before are closed."""
        self._refusing, self._only = False, None
        self._loop.call_soon_threadsafe(self._close_all)

    def run(self) -> None:
        """Serve until the loop is stopped."""
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        self._close_all()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def wait(self) -> None:
        assert self._started.wait(5), "the proxy did not start"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _close_all(self) -> None:
        for line in self._lines:
            line.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.close()
            return
        back, forth = await asyncio.open_unix_connection(str(self._target))
        line = _Line(writer, forth)
        self._lines.add(line)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(self._carry(line, reader, forth), self._carry(line, back, writer))
        line.close()
        self._lines.discard(line)

    async def _carry(
        self, line: "_Line", source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        while content := await source.read(65536):
            if self._only is not None and self._only in content:
                line.is_silent = True
            if not line.is_silent:
                sink.write(content)
                await sink.drain()
        sink.close()


@dataclass(eq=False)
class _Line:
    """One connection: its two ends, and whether it swallows what it should carry."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    is_silent: bool = False

    def close(self) -> None:
        self.near.close()
        self.far.close()


@contextlib.contextmanager
def proxying(target: Path) -> Iterator[Proxy]:
    """A proxy before the unix socket, for as long as the block runs."""
    proxy = Proxy(target)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    proxy.wait()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(5)
