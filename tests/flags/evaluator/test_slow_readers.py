"""What the streams of one process bear, without a server: slow readers, limits, heartbeats."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import orjson
import pytest

from flags.channel import Head
from flags.evaluator import streams
from flags.evaluator.conditional import write_tag
from flags.evaluator.contents import ApiKey, read_key
from flags.evaluator.counters import Counters
from flags.evaluator.keys import AccessRefused
from flags.evaluator.memory import Environment, Held, Memory
from flags.evaluator.streams import Streams
from flags.evaluator.tickets import WINDOW_S, Tickets
from tests.flags.evaluator.publisher import new_key

NOW = 1_800_000_000.0
ALICE, BOB = (read_key(key.selector, key.document) for key in (new_key(), new_key()))


def state_at(version: int) -> Environment:
    keys = {key.selector.encode(): key for key in (ALICE, BOB)}
    fields = {"flag/a": Held(version, 0, None, b"")}
    head = Head("shop", "production", "live", 1, NOW)
    return Environment(7, "e", version, head, b"", fields, {}, {}, keys)


class Hall:
    """A process with an environment and room for a few streams."""

    def __init__(self, most: int = 5) -> None:
        self.memory, self.counters = Memory(is_listed=True), Counters()
        self.tickets = Tickets(b"k")
        self.streams = Streams(self.memory, self.counters, self.tickets, most=most)
        self.memory.swap(state_at(1))

    def query(self, key: ApiKey = ALICE, *, now: float = NOW) -> bytes:
        return f"ticket={self.tickets.issue(key.selector, 7, now=now)}".encode()

    def open(self, key: ApiKey = ALICE) -> streams.Reader:
        return self.streams.open(self.query(key), {}, now=NOW)


class Line:
    """A connection: what was sent, and whether anything is taken."""

    def __init__(self, *, takes: int = 1000) -> None:
        self.sent: list[bytes] = []
        self.transport = self
        self.aborted, self._takes = False, takes

    def abort(self) -> None:
        self.aborted = True

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if len(self.sent) >= self._takes:
            await asyncio.Event().wait()
        self.sent.append(message.get("body", b""))

    async def receive(self) -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def test_a_reader_that_takes_nothing__is_cut_off_and_others_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "WRITE_TIMEOUT_S", 0.05)

    async def scene() -> None:
        hall, stuck, fine = Hall(), Line(takes=2), Line()
        serving = [
            asyncio.create_task(hall.streams.serve(hall.open(), line.receive, line.send))
            for line in (stuck, fine)
        ]
        await until(lambda: len(stuck.sent) == len(fine.sent) == 2)
        hall.memory.swap(state_at(2))
        await until(lambda: stuck.aborted)
        assert b'"etag":"e.2"' in fine.sent[-1]
        assert (hall.counters.streams, hall.counters.streams_cut) == (1, 1)
        hall.streams.close()
        await asyncio.gather(*serving)
        assert hall.counters.streams == 0

    asyncio.run(scene())


def test_a_thousand_changes_while_a_reader_sleeps__are_one_event() -> None:
    async def scene() -> None:
        hall, line = Hall(), Line()
        reader = hall.open()
        for version in range(2, 1002):
            hall.memory.swap(state_at(version))
        serving = asyncio.create_task(hall.streams.serve(reader, line.receive, line.send))
        await until(lambda: len(line.sent) == 3)
        assert write_tag(state_at(1001)).encode() in line.sent[-1]
        hall.streams.close()
        await serving
        assert len(line.sent) == 4

    asyncio.run(scene())


def test_silence__is_broken_by_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.01)

    async def scene() -> None:
        hall, line = Hall(), Line()
        serving = asyncio.create_task(hall.streams.serve(hall.open(), line.receive, line.send))
        await until(lambda: line.sent.count(b":\n\n") >= 3)
        hall.streams.close()
        await serving

    asyncio.run(scene())


def refusal(hall: Hall, key: ApiKey, query: bytes = b"", *, now: float = NOW) -> int:
    with pytest.raises(AccessRefused) as refused:
        hall.streams.open(query or hall.query(key), {}, now=now)
    return refused.value.status


def test_streams__beyond_a_keys_share__are_a_429_and_beyond_the_process_a_503() -> None:
    async def scene() -> None:
        hall = Hall(most=5)
        for _one in range(4):
            hall.open(ALICE)
        assert refusal(hall, ALICE) == 429
        hall.open(BOB)
        assert refusal(hall, BOB) == 503
        assert refusal(hall, ALICE) == 503

    asyncio.run(scene())


def test_a_ticket__is_good_for_a_window_at_least_and_two_at_most() -> None:
    async def scene() -> None:
        hall = Hall()
        begin = NOW - NOW % WINDOW_S
        for issued_at in (begin, begin + WINDOW_S - 1):
            query = hall.query(now=issued_at)
            hall.streams.open(query, {}, now=issued_at + WINDOW_S)
            assert refusal(hall, ALICE, query, now=begin + 2 * WINDOW_S) == 401
        assert hall.query(now=begin) == hall.query(now=begin + WINDOW_S - 1)
        assert hall.query(now=begin) != hall.query(now=begin + WINDOW_S)

    asyncio.run(scene())


def test_the_address__is_public_where_the_settings_name_one() -> None:
    memory = Memory()
    there = Streams(memory, Counters(), Tickets(b"k"), public_url="https://flags.example/a/")
    here = Streams(memory, Counters(), Tickets(b"k"))
    (public,), (relative,) = (
        orjson.loads(one.describe(state_at(1), ALICE, now=NOW)) for one in (there, here)
    )
    assert set(public) == {"type", "url", "inactivityDelaySec"}
    assert set(relative) == {"type", "endpoint", "inactivityDelaySec"}
    assert public["url"] == "https://flags.example/a" + relative["endpoint"]["requestUri"]
