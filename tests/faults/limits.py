"""What one request does to the others of an evaluator: the rows ``request_faults`` run these.

Each fault is a function of a place and says what it measured: name, value, unit and bar.
"""

import contextlib
import http.client
import json
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.flags.evaluator.publisher import Publisher, flag, new_key
from tests.flags.evaluator.servers import EvaluatorProcess, RedisServer
from tests.flags.evaluator.shop import FLAGS, Shop

Measured: TypeAlias = tuple[str, float, str, float | None]
FORK = multiprocessing.get_context("fork")
SECONDS = 4.0
PAUSE_S = 0.1
CONDITION = {"attribute": "text", "operator": "contains", "values": [f"v{n}" for n in range(900)]}
COSTLY = [{"id": f"r{n}", "when": CONDITION, "serve": {"variant": "off"}} for n in range(20)]


@dataclass
class Place:
    """An evaluator of two projects: ``shop`` is asked quietly, ``loud`` does the harm."""

    evaluator: EvaluatorProcess
    shop: Shop
    loud: Shop


class Quiet:
    """Somebody who asks for one flag again and again, on a new connection every tenth time."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.took_ms: list[float] = []
        self.errors = 0

    def run(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        connection = self._connect()
        while time.monotonic() < ends_at:
            began = time.monotonic()
            if len(self.took_ms) % 10 == 9:
                connection.close()
            try:
                connection.request("POST", f"{FLAGS}/a", b'{"context":{}}', self._shop.key.headers)
                response = connection.getresponse()
                self.errors += response.status != 200
                response.read()
            except (OSError, http.client.HTTPException):
                self.errors += 1
                connection.close()
            self.took_ms.append((time.monotonic() - began) * 1000)
            time.sleep(0.002)
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._shop.evaluator.port, timeout=10)

    @property
    def p99_ms(self) -> float:
        return sorted(self.took_ms)[int(len(self.took_ms) * 0.99)]

    @property
    def worst_ms(self) -> float:
        return max(self.took_ms)


def _beside(place: Place, harm: Callable[[], None] | None) -> Quiet:
    """The quiet one's figures while the harm is done again and again by one client."""
    quiet = Quiet(place.shop)
    # A process of its own: two threads of one would wait for each other.
    process = FORK.Process(target=_repeat, args=(harm,), daemon=True) if harm else None
    if process:
        process.start()
    quiet.run(SECONDS)
    if process:
        process.kill()
        process.join()
    return quiet


def _repeat(harm: Callable[[], None]) -> None:
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            harm()
        time.sleep(PAUSE_S)


def _dial(place: Place) -> socket.socket:
    return socket.create_connection(("127.0.0.1", place.evaluator.port), timeout=10)


def huge_header(place: Place) -> list[Measured]:
    """A header of 48 MB."""
    before = _beside(place, None)
    request = place.loud.head_of(FLAGS)[:-2] + b"X: " + b"a" * 48_000_000

    def harm() -> None:
        with _dial(place) as connection:
            connection.sendall(request)

    return _worst(before, _beside(place, harm))


def costly_flag(place: Place) -> list[Measured]:
    """20 conditions "contains" of 900 values, asked with a text of 900 kB."""
    body = json.dumps({"context": {"text": "x" * 900_000}}).encode()
    before = _beside(place, None)
    return _twice(before, _beside(place, lambda: _post(place.loud, f"{FLAGS}/costly", body)))


def unclosed_text(place: Place) -> list[Measured]:
    """10,000 commas and a text of escaped quotation marks that nothing closes."""
    body = b"{" + b"," * 10_000 + b'"' + rb"\"" * 500_000
    before = _beside(place, None)
    return _worst(before, _beside(place, lambda: _post(place.loud, f"{FLAGS}/a", body)))


def many_values(place: Place) -> list[Measured]:
    """340,000 empty lists in a body."""
    body = b'{"context":{"a":[' + b"[]," * 340_000 + b"[]]}}"
    before = _beside(place, None)
    return _worst(before, _beside(place, lambda: _post(place.loud, f"{FLAGS}/a", body)))


def large_context(place: Place) -> list[Measured]:
    """10,000 flags at once with a context of 1 MiB."""
    documents = {f"flag/many-{n}": flag(f"many-{n}") for n in range(10_000)}
    place.loud.portal.publish(documents)
    place.loud.wait(within_s=60)
    body = json.dumps({"context": {"text": "x" * 1_000_000}}).encode()
    before = _beside(place, None)
    return _worst(before, _beside(place, lambda: _post(place.loud, FLAGS, body)))


def slow_sockets(place: Place) -> list[Measured]:
    """500 connections whose heads and bodies trickle in."""
    before = _beside(place, None)
    head = place.loud.head_of(f"{FLAGS}/a", "Content-Length: 500")
    with contextlib.ExitStack() as parts:
        dialled = [parts.enter_context(_dial(place)) for _number in range(500)]
        for number, one in enumerate(dialled):
            one.sendall(head if number % 2 else head[:30])

        def trickle() -> None:
            for one in dialled:
                with contextlib.suppress(OSError):
                    one.sendall(b"x")
                time.sleep(0.001)

        beside = _beside(place, trickle)
    return _twice(before, beside)


def _post(shop: Shop, path: str, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shop.evaluator.port, timeout=15)
    connection.request("POST", path, body, shop.key.headers)
    connection.getresponse().read()
    connection.close()


def _worst(before: Quiet, beside: Quiet) -> list[Measured]:
    """One such request may hold others up, but not for long."""
    return [
        ("p99 quiet", before.p99_ms, "ms", None),
        ("p99 beside", beside.p99_ms, "ms", None),
        ("worst quiet", before.worst_ms, "ms", None),
        ("worst beside", beside.worst_ms, "ms", before.worst_ms + 50),
        ("errors", before.errors + beside.errors, "", 0),
    ]


def _twice(before: Quiet, beside: Quiet) -> list[Measured]:
    return [
        ("p99 quiet", before.p99_ms, "ms", None),
        ("p99 beside", beside.p99_ms, "ms", 2 * before.p99_ms),
        ("worst beside", beside.worst_ms, "ms", None),
        ("errors", before.errors + beside.errors, "", 0),
    ]


@contextlib.contextmanager
def placed() -> Iterator[Place]:
    """A Redis, an evaluator and the two projects."""
    with tempfile.TemporaryDirectory(prefix="aviary-faults-") as folder:
        redis_server = RedisServer(Path(folder))
        redis_server.start()
        evaluator = EvaluatorProcess(redis_server.url, Path(folder))
        evaluator.start()
        try:
            with redis_server.client() as client:
                shops = [Shop(Publisher(client), evaluator, new_key("server")) for _two in "ab"]
                shops[0].open(flag("a"))
                shops[1].open(flag("a"), flag("costly", rules=COSTLY))
                yield Place(evaluator, *shops)
        finally:
            evaluator.stop()
            redis_server.kill()
