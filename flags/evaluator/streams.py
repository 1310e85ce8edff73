"""Event streams: telling clients that they should evaluate again.

A stream holds no queue. A change sets a mark on each reader, and whatever a reader has not been
told when its turn comes is one event about the newest state; so a slow one costs nothing but its
connection, and is cut off where it does not even take that.

A stream of rule documents for server keys would be another kind of frame in ``_next``.
"""

import asyncio
import contextlib
import resource
import time
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

import orjson

from flags.channel.documents import KEY_PREFIX
from flags.evaluator import conditional, keys
from flags.evaluator.contents import ApiKey
from flags.evaluator.counters import Counters
from flags.evaluator.framing import Header, Headers, Receive, Send
from flags.evaluator.memory import CurrentEnvironment, Environment, Memory
from flags.evaluator.tickets import INVALID, Tickets

EVENTS_PATH: Final = b"/ofrep/v1/events"
HEARTBEAT_S: Final = 15.0
HEARTBEAT: Final = b":\n\n"
# A reader that takes nothing for so long is cut off.
WRITE_TIMEOUT_S: Final = 10.0
INACTIVITY_DELAY_S: Final = 120
RECONNECT_MS: Final = 2000

# How late a reader may hear of an instant at which answers change by themselves.
INSTANT_TICK_S: Final = 0.25

# Readers woken before evaluations get their turn again; all of them evaluate anew at once.
SLICE: Final = 32
PAUSE_S: Final = 0.002

MOST: Final = 5000
# Of the process's streams, what one key may have: others' must still find room.
KEY_SHARE: Final = 0.8

HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    # nginx would otherwise wait for more before it passes anything on.
    (b"x-accel-buffering", b"no"),
)


def most_streams() -> int:
    """Half of the sockets that the process may have: evaluations need the others."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(MOST, soft // 2)


class Reader:
    __slots__ = ("due", "ended", "headers", "key", "place", "queued", "wake")

    def __init__(
        self, place: CurrentEnvironment, key: ApiKey, *, headers: tuple[Header, ...], due: bool
    ) -> None:
        self.place, self.key, self.headers = place, key, headers
        self.due, self.ended, self.queued = due, False, False
        self.wake = asyncio.Event()
        if due:
            self.wake.set()

    def end(self) -> None:
        self.ended = True
        self.wake.set()


class Streams:
    def __init__(
        self,
        memory: Memory,
        counters: Counters,
        tickets: Tickets,
        *,
        public_url: str = "",
        most: int | None = None,
    ) -> None:
        self._memory, self._counters, self._tickets = memory, counters, tickets
        self._public_url = public_url.rstrip("/")
        self._most = most_streams() if most is None else most
        self._readers: defaultdict[int, set[Reader]] = defaultdict(set)
        self._by_key: Counter[str] = Counter()
        self._waking: deque[Reader] = deque()
        self._waker: asyncio.Task[None] | None = None
        self._closed = False
        memory.watchers.append(self._note_change)

    def describe(self, state: Environment, key: ApiKey, *, now: float) -> bytes:
        """``eventStreams`` of a bulk answer. The address is as good as a key: never log it.

        It names the state that the answer is from, so that a change before the stream opens is
        told as soon as it does.
        """
        ticket = self._tickets.issue(key.selector, state.environment_id, now=now)
        since = quote(conditional.write_tag(state), safe="")
        target = f"{EVENTS_PATH.decode()}?ticket={ticket}&lastEventId={since}"
        where: dict[str, object] = {"endpoint": {"requestUri": target}}
        if self._public_url:
            where = {"url": self._public_url + target}
        stream = {"type": "sse", **where, "inactivityDelaySec": INACTIVITY_DELAY_S}
        return orjson.dumps([stream])

    def open(self, query: bytes, headers: Headers, *, now: float) -> Reader:
        """Admit a reader, which ``serve`` then serves. Raises AccessRefused.

        What it has seen is in Last-Event-ID, else in the query ``lastEventId``, which is also
        where the usual replacements for EventSource put it.
        """
        fields = conditional.parse_query(query)
        place, key = self._authenticate(fields.get("ticket", [""])[-1], now)
        shared = conditional.allow(key, headers.get(b"origin"))
        if self._closed or self._counters.streams >= self._most:
            raise keys.AccessRefused(
                503, "this evaluator has as many event streams open as it can bear: try again later"
            )
        if self._by_key[key.selector] >= max(1, int(self._most * KEY_SHARE)):
            raise keys.AccessRefused(
                429, "this API key has as many event streams open as it may: try again later"
            )
        seen = headers.get(b"last-event-id", b"").decode("latin-1")
        seen = seen or fields.get("lastEventId", [""])[-1]
        due = bool(seen) and conditional.read_tag(seen) != place.state.position
        reader = Reader(place, key, headers=(*HEADERS, *shared), due=due)
        self._readers[place.state.environment_id].add(reader)
        self._by_key[key.selector] += 1
        self._counters.streams += 1
        return reader

    def _authenticate(self, ticket: str, now: float) -> tuple[CurrentEnvironment, ApiKey]:
        selector, environment_id = self._tickets.check(ticket, now=now)
        place, key = self._memory.selectors.get(selector.encode(), (None, None))
        if place is None or key is None:
            complete = self._memory.is_complete
            raise (
                keys.AccessRefused(401, INVALID)
                if complete
                else keys.AccessRefused(503, keys.LOADING)
            )
        if place.state.environment_id != environment_id or _is_expired(key, now):
            raise keys.AccessRefused(401, INVALID)
        return place, key

    async def serve(self, reader: Reader, receive: Receive, send: Send) -> None:
        watching = asyncio.create_task(_watch(receive, reader))
        try:
            start = {"type": "http.response.start", "status": 200, "headers": list(reader.headers)}
            await send(start)
            # An id without an event: where to resume, if it is cut off before the first one.
            tag = conditional.write_tag(reader.place.state).encode()
            frame: bytes | None = b"retry: %d\nid: %s\n\n" % (RECONNECT_MS, tag)
            while frame is not None:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
                frame = await self._next(reader)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            self._counters.streams_cut += 1
            _abort(send)
        finally:
            watching.cancel()
            self._leave(reader)

    async def _next(self, reader: Reader) -> bytes | None:
        limit_s = HEARTBEAT_S
        if reader.key.expires_at is not None:
            limit_s = min(limit_s, max(0, reader.key.expires_at - time.time()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await reader.wake.wait()
        reader.wake.clear()
        if reader.ended or _is_expired(reader.key, time.time()):
            return None
        if not reader.due:
            return HEARTBEAT
        reader.due = False
        self._counters.events += 1
        return _refetch(reader.place.state)

    async def run(self) -> None:
        told_until = time.time()
        while True:
            await asyncio.sleep(INSTANT_TICK_S)
            now = time.time()
            for environment_id, readers in self._readers.items():
                place = self._memory.places.get(environment_id)
                instants = place.state.instants if readers and place else ()
                if bisect_right(instants, told_until) < bisect_right(instants, now):
                    self._mark(readers)
            told_until = now

    def close(self) -> None:
        self._closed = True
        for readers in self._readers.values():
            for reader in readers:
                reader.end()

    def _leave(self, reader: Reader) -> None:
        reader.ended = True
        self._readers[reader.place.state.environment_id].discard(reader)
        self._counters.streams -= 1
        self._by_key[reader.key.selector] -= 1
        if not self._by_key[reader.key.selector]:
            del self._by_key[reader.key.selector]

    def _note_change(self, before: Environment | None, state: Environment) -> None:
        readers = self._readers.get(state.environment_id)
        if not readers:
            return
        for reader in readers:
            key = state.keys.get(reader.key.selector.encode())
            if key is None:
                reader.end()
            else:
                reader.key = key
        if before is None or _concerns_flags(before, state):
            self._mark(readers)

    def _mark(self, readers: Iterable[Reader]) -> None:
        for reader in readers:
            reader.due = True
            if not reader.queued:
                reader.queued = True
                self._waking.append(reader)
        if self._waker is None or self._waker.done():
            self._waker = asyncio.get_running_loop().create_task(self._wake_all())

    async def _wake_all(self) -> None:
        while self._waking:
            for _turn in range(min(SLICE, len(self._waking))):
                reader = self._waking.popleft()
                reader.queued = False
                reader.wake.set()
            await asyncio.sleep(PAUSE_S)


def _concerns_flags(before: Environment, state: Environment) -> bool:
    """Whether anything but API keys changed.

    Not which flags: a public one may depend on an internal one, or on a segment.
    """
    if before.epoch != state.epoch:
        return True
    old, new = before.fields, state.fields
    changed = [name for name, held in new.items() if old.get(name) is not held]
    changed += old.keys() - new.keys()
    return not all(name.startswith(KEY_PREFIX) for name in changed)


def _is_expired(key: ApiKey, now: float) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _refetch(state: Environment) -> bytes:
    tag = conditional.write_tag(state)
    told = {
        "type": "refetchEvaluation",
        "etag": tag,
        "lastModified": int(state.head.published_at),
    }
    return b"id: %s\nevent: message\ndata: %s\n\n" % (tag.encode(), orjson.dumps(told))


async def _watch(receive: Receive, reader: Reader) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.end()


def _abort(send: Send) -> None:
    """Drop the connection with what it holds: closing it would wait for the reader to take that.

    ASGI has no word for it, so this looks for the server's own; without one it is closed only.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
