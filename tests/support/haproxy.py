"""A haproxy of our own by the configuration that we recommend, backends that count what reaches
them, and a client that is fast enough to ask tens of thousands of times."""

import asyncio
import csv
import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.support import settings_env
from tests.support.ports import free_port

SAMPLE = settings_env.ROOT / "deploy" / "haproxy"
PLACES = {
    "blue": "10.0.0.11:8080",
    "green": "10.0.0.12:8080",
    "base": "10.0.0.13:8080",
    "s1": "10.0.0.21:8080",
    "s2": "10.0.0.22:8080",
    "n1": "10.0.0.23:8080",
}
_AT_A_TIME = 64


def find() -> str | None:
    return shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")


class Backends:
    """One server for each place, in a thread: each answers with its name and remembers who asked.

    ``slow_s`` is how long an answer takes.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.slow_s = 0.0
        self.ports: dict[str, int] = {}
        self.connected: set[asyncio.Transport] = set()
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        for name in PLACES:
            made = asyncio.run_coroutine_threadsafe(self._serve(name), self._loop)
            self.ports[name] = made.result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        for one in self._servers:
            one.close()
        for connected in list(self.connected):
            connected.abort()
        await asyncio.sleep(0)

    async def _serve(self, name: str) -> int:
        server = await self._loop.create_server(lambda: _Answering(self, name), "127.0.0.1", 0)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def taken(self) -> list[tuple[str, str]]:
        """Who asked where since the last time, in order: place and user."""
        found, self.asked = self.asked, []
        return found


class _Answering(asyncio.Protocol):
    def __init__(self, of: Backends, name: str) -> None:
        self._of, self._name, self._rest = of, name, b""
        text = name.encode()
        length = str(len(text)).encode()
        self._answer = b"HTTP/1.1 200 OK\r\ncontent-length: " + length + b"\r\n\r\n" + text

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._of.connected.add(transport)

    def connection_lost(self, _why: Exception | None) -> None:
        self._of.connected.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for request in whole:
            _before, found, after = request.partition(b"shop_user=")
            if found:
                user = after.split(b"\r\n", 1)[0].split(b";")[0].decode()
                self._of.asked.append((self._name, user))
            else:
                self._of.asked.append((self._name, ""))
            if self._of.slow_s:
                asyncio.get_running_loop().call_later(self._of.slow_s, self._write)
            else:
                self._write()

    def _write(self) -> None:
        self._transport.write(self._answer)


@dataclass
class HaproxyServer:
    """A running one: where its frontends are, its socket, and its backends."""

    folder: Path
    backends: Backends
    shop: int
    search: int
    process: subprocess.Popen[bytes] | None = None
    replaced: dict[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> str:
        return str(self.folder / "admin.sock")

    @property
    def map(self) -> str:
        return str(self.folder / "aviary.map")

    def say(self, command: str) -> str:
        """What a person types into its socket."""
        with closing(socket.socket(socket.AF_UNIX)) as connected:
            connected.connect(self.socket)
            connected.sendall(command.encode() + b"\n")
            with connected.makefile("rb") as answer:
                return answer.read().decode().strip()

    def state_of(self, server: str) -> str:
        """Of a server of the backend ``search``, as haproxy calls it: UP, DRAIN, MAINT."""
        rows = csv.DictReader(self.say("show stat -1 4 -1").removeprefix("# ").splitlines())
        (found,) = [row for row in rows if (row["pxname"], row["svname"]) == ("search", server)]
        return str(found["status"])

    def counted(self) -> Counter[str]:
        """How many requests the servers of ``search`` have had, by what a release calls them."""
        places = {"s1": "blue", "s2": "blue", "n1": "green"}
        return Counter(places[name] for name, _user in self.backends.taken())

    def ask_without_cookie(self) -> tuple[str, str]:
        """The place that answered, and the cookie that came with the answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.shop, timeout=10)) as one:
            one.request("GET", "/")
            answer = one.getresponse()
            cookie = answer.getheader("set-cookie") or ""
            return answer.read().decode(), cookie.partition("=")[2].split(";")[0]

    def start(self) -> None:
        self._write_files()
        command = [find() or "haproxy", "-W", "-f", str(self.folder / "haproxy.cfg")]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_for("")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def reload(self) -> None:
        """As systemd does it; returns once the new process answers, and the old one no more."""
        assert self.process is not None
        old = self._pid()
        os.kill(self.process.pid, signal.SIGUSR2)
        self._wait_for(old)

    def _pid(self) -> str:
        try:
            said = self.say("show info")
        except OSError:
            return ""
        found = [line for line in said.splitlines() if line.startswith("Pid: ")]
        return found[0] if found else ""

    def _wait_for(self, old: str) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if self._pid() not in ("", old) and "HTTP/1.1 200" in self._state():
                return
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def _state(self) -> str:
        try:
            with closing(socket.create_connection(("127.0.0.1", self.shop), 1)) as one:
                one.sendall(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n")
                return one.recv(100).decode()
        except OSError:
            return ""

    def _write_files(self) -> None:
        text = (SAMPLE / "aviary.cfg").read_text()
        for old, new in self._replacements().items():
            assert old in text, f"the sample has no {old} any more"
            text = text.replace(old, new)
        (self.folder / "haproxy.cfg").write_text(text)
        shutil.copy(SAMPLE / "aviary.map", self.map)

    def _replacements(self) -> dict[str, str]:
        ports = {at: f"127.0.0.1:{self.backends.ports[name]}" for name, at in PLACES.items()}
        return {
            **ports,
            "/run/haproxy/admin.sock": self.socket,
            "/etc/haproxy/aviary.map": self.map,
            "bind :80\n": f"bind 127.0.0.1:{self.shop}\n",
            "bind :81\n": f"bind 127.0.0.1:{self.search}\n",
            "hard-stop-after 30s": "hard-stop-after 5s",
            **self.replaced,
        }


@contextmanager
def running(**replaced: str) -> Iterator[HaproxyServer]:
    """One in a temporary folder, with the sample's words ``replaced`` by others."""
    backends = Backends()
    backends.start()
    folder = settings_env.temporary_folder()
    server = HaproxyServer(folder, backends, free_port(), free_port(), replaced=replaced)
    try:
        server.start()
        backends.taken()
        yield server
    finally:
        server.stop()
        backends.stop()


def ask_all(port: int, users: Sequence[str], header: str = "", *, at_once: int = 4) -> Counter[str]:
    """Ask once for each user, by their cookies; returns how often which place answered."""
    shares = [users[n::at_once] for n in range(at_once)]
    return asyncio.run(_ask_all(port, [one for one in shares if one], header))


async def _ask_all(port: int, shares: Iterable[Sequence[str]], header: str) -> Counter[str]:
    found = await asyncio.gather(*(_ask(port, one, header) for one in shares))
    return sum(found, Counter())


async def _ask(port: int, users: Sequence[str], header: str) -> Counter[str]:
    """Over one connection, many requests at a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found: Counter[str] = Counter()
    for start in range(0, len(users), _AT_A_TIME):
        batch = users[start : start + _AT_A_TIME]
        more = f"{header}\r\n" if header else ""
        writer.write(
            "".join(
                f"GET / HTTP/1.1\r\nhost: shop\r\ncookie: shop_user={one}\r\n{more}\r\n"
                for one in batch
            ).encode()
        )
        for _one in batch:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
            body = (await reader.readexactly(length)).decode()
            found[body if head.startswith(b"HTTP/1.1 200") else head[9:12].decode()] += 1
    writer.close()
    return found


class Load:
    """Clients that go on asking until the end, each with a new connection for each request.

    ``answers`` has of each request when it began and ended, and the place that answered;
    ``lost`` is how many got no answer.
    """

    def __init__(self, port: int, clients: int = 4) -> None:
        self.answers: list[tuple[float, float, str]] = []
        self.lost = 0
        self._port, self._ends = port, threading.Event()
        self._threads = [threading.Thread(target=self._go_on) for _ in range(clients)]

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ends.set()
        for one in self._threads:
            one.join(30)
        self.answers.sort()

    def wait_for(self, more: int) -> None:
        """Until so many more requests were answered."""
        wanted, until = len(self.answers) + more, time.monotonic() + 30
        while len(self.answers) < wanted:
            assert time.monotonic() < until, "the load gets no answers"
            time.sleep(0.005)

    def _go_on(self) -> None:
        while not self._ends.is_set():
            began = time.monotonic()
            place = self._ask()
            if place:
                self.answers.append((began, time.monotonic(), place))
            else:
                self.lost += 1

    def _ask(self) -> str:
        """Empty where there was no good answer."""
        request = b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n"
        try:
            with closing(socket.create_connection(("127.0.0.1", self._port), 10)) as one:
                one.sendall(request)
                with one.makefile("rb") as answer:
                    head, _empty, body = answer.read().decode().partition("\r\n\r\n")
        except OSError:
            return ""
        return body if head.startswith("HTTP/1.1 200") else ""
