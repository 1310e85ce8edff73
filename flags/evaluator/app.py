"""The ASGI application: finds the route and the key, and hands over to ``ofrep``.

No framework: an evaluation takes some ten microseconds, and a router would take as long.
"""

import logging
import time
from collections.abc import Callable, Collection
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

import orjson

from flags.evaluator import body, conditional, keys, limits, ofrep, status, syncing, tickets
from flags.evaluator.body import BadBody, Disconnected
from flags.evaluator.counters import Counters
from flags.evaluator.framing import (
    DEFAULT_LIMITS,
    Header,
    Headers,
    Receive,
    RequestLimits,
    Scope,
    Send,
)
from flags.evaluator.keys import AccessRefused
from flags.evaluator.memory import Memory, Place
from flags.evaluator.streams import EVENTS_PATH, Reader, Streams

logger = logging.getLogger("aviary.evaluator")

FLAGS_PATH: Final = b"/ofrep/v1/evaluate/flags"
FLAG_PREFIX: Final = FLAGS_PATH + b"/"

JSON: Final = (b"content-type", b"application/json")
TEXT: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
CLOSE: Final = (b"connection", b"close")
EXTRA_HEADERS: Final[dict[int, tuple[Header, ...]]] = {
    401: ((b"www-authenticate", b"Bearer"),),
    # The rest of the body is not wanted, so the connection cannot be used again.
    408: (CLOSE,),
    413: (CLOSE,),
    415: (CLOSE,),
    503: ((b"retry-after", b"1"),),
}
STREAM_WAIT_S: Final = 30
UNKNOWN_PATH: Final = (
    "there is nothing here: see /ofrep/v1/evaluate/flags, without a trailing slash"
)


class Reply(NamedTuple):
    """What goes back; a 304 and a 204 have no body, and a stream has its reader instead."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (JSON,)
    reader: Reader | None = None
    is_anyones: bool = False
    """Refused before a key had a say in who may read it: so any web page may."""


class Asked(NamedTuple):
    """A request that was let in."""

    place: Place
    api_key: keys.ApiKey
    headers: Headers
    query: bytes


class Evaluator:
    """The application. What it answers from is the memory that the follower keeps up to date."""

    def __init__(
        self,
        memory: Memory,
        counters: Counters,
        streams: Streams,
        request_limits: RequestLimits = DEFAULT_LIMITS,
        *,
        metrics_token: bytes = b"",
    ) -> None:
        self._memory, self._counters, self._streams = memory, counters, streams
        self._request_limits = request_limits
        self._limits = limits.Limits()
        self._flagd_files = syncing.FlagdFiles()
        self._metrics_token = metrics_token
        self._pages: dict[bytes, Callable[[Scope], Reply]] = {
            b"/health": self._health,
            b"/ready": self._ready,
            b"/metrics": self._write_metrics,
        }

    @property
    def routes(self) -> tuple[str, ...]:
        """Every address there is; ``{key}`` stands for a flag's key."""
        exact = (FLAGS_PATH, EVENTS_PATH, syncing.PATH, *self._pages)
        return (FLAG_PREFIX.decode() + "{key}", *(path.decode() for path in exact))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        route, reply = "fault", None
        try:
            route, reply = await self._answer(scope, receive)
        except Disconnected:
            return
        except Exception as fault:  # nothing about it leaves the process
            logger.error("a request failed: %s", type(fault).__name__)
            reply = Reply(500, ofrep.error(ofrep.INTERNAL), is_anyones=True)
        if reply.is_anyones:
            readable = conditional.let_anyone_read(dict(scope["headers"]).get(b"origin"))
            reply = reply._replace(headers=(*reply.headers, *readable))
        self._counters.requests[(route, reply.status)] += 1
        if reply.reader is not None:
            await self._streams.serve(reply.reader, receive, send)
        else:
            await _send(send, reply)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[str, Reply]:
        path: bytes = scope["raw_path"]
        if path.startswith(FLAG_PREFIX) and len(path) > len(FLAG_PREFIX):
            return "single", await self._evaluate(scope, receive, path[len(FLAG_PREFIX) :])
        if path == FLAGS_PATH:
            return "bulk", await self._evaluate(scope, receive, None)
        if path == EVENTS_PATH:
            return "events", self._open_stream(scope)
        if path == syncing.PATH:
            return "flagd", await self._send_flagd_file(scope)
        page = self._pages.get(path)
        if page is None:
            return "unknown", Reply(404, ofrep.error(UNKNOWN_PATH), is_anyones=True)
        if scope["method"] not in ("GET", "HEAD"):
            return path[1:].decode(), _wrong_method(b"GET, HEAD")
        return path[1:].decode(), page(scope)

    async def _evaluate(self, scope: Scope, receive: Receive, raw_key: bytes | None) -> Reply:
        """Evaluate one flag, or all of them where there is no key."""
        headers: Headers = dict(scope["headers"])
        if scope["method"] != "POST":
            return _without(scope, headers, b"POST")
        try:
            place, api_key = self._authenticate(headers)
            shared = conditional.allow(api_key, headers.get(b"origin"))
        except AccessRefused as refused:
            return _refuse(refused)
        wait_s = self._limits.wait_s(api_key, now=time.monotonic())
        if wait_s:
            self._counters.limited += 1
            reply = _limited(limits.describe(api_key, wait_s), wait_s)
        else:
            asked = Asked(place, api_key, headers, scope["query_string"])
            reply = await self._evaluate_for(asked, receive, raw_key)
        return reply._replace(headers=(*reply.headers, *shared)) if shared else reply

    async def _evaluate_for(self, asked: Asked, receive: Receive, raw_key: bytes | None) -> Reply:
        """Evaluate for a key that was let in."""
        place, api_key, headers, _query = asked
        key = None if raw_key is None else unquote_to_bytes(raw_key).decode(errors="replace")
        try:
            body.check_headers(headers, self._request_limits)
            raw = await body.read_body(receive, self._request_limits)
            context = body.read_context(raw, self._request_limits)
        except BadBody as bad:
            return _refuse_body(bad, key)
        if place.state.head.sampling:
            self._counters.samples.offer(place.state.environment_id, context)
        if key is None:
            return await self._evaluate_all(asked, context)
        answer = ofrep.evaluate_one(
            place.state, key, context, is_client=api_key.is_client, counters=self._counters
        )
        return Reply(*answer, (JSON, *_freshness(place)))

    async def _evaluate_all(self, asked: Asked, context: dict[str, object]) -> Reply:
        place, api_key, headers, query = asked
        wanted = conditional.read_query(query)
        if wanted is not None and not await conditional.catch_up(place, wanted):
            return _reply(503, ofrep.error(conditional.BEHIND))
        state, about = place.state, _freshness(place)
        is_client, now = api_key.is_client, time.time()
        stamp = b"%s %d" % (api_key.selector.encode(), tickets.window(now))
        content, tag = await ofrep.evaluate_all(
            state, context, is_client=is_client, counters=self._counters, stamp=stamp
        )
        about = ((b"etag", tag), conditional.last_modified(state), *about)
        offered = headers.get(b"if-none-match")
        if offered is not None and ofrep.matches_tag(offered, tag):
            return Reply(304, b"", about)
        streams = self._streams.describe(state, api_key, now=now)
        return Reply(200, ofrep.with_streams(content, streams), (JSON, *about))

    async def _send_flagd_file(self, scope: Scope) -> Reply:
        """All flags of the environment, rules and all: for server keys alone."""
        headers: Headers = dict(scope["headers"])
        if scope["method"] not in ("GET", "HEAD"):
            return _wrong_method(b"GET, HEAD")
        try:
            place, api_key = self._authenticate(headers)
            syncing.check(api_key)
        except AccessRefused as refused:
            return _refuse(refused)
        wait_s = self._limits.wait_s(api_key, now=time.monotonic())
        if wait_s:
            self._counters.limited += 1
            return _limited(limits.describe(api_key, wait_s), wait_s)
        freshness = _freshness(place)
        file = await self._flagd_files.read(place.state)
        about = (*file.headers, *freshness)
        offered = headers.get(b"if-none-match")
        if offered is not None and ofrep.matches_tag(offered, file.tag):
            return Reply(304, b"", about)
        return Reply(200, file.body, (JSON, *about))

    def _open_stream(self, scope: Scope) -> Reply:
        headers: Headers = dict(scope["headers"])
        if scope["method"] != "GET":
            return _without(scope, headers, b"GET")
        try:
            reader = self._streams.open(scope["query_string"], headers, now=time.time())
        except AccessRefused as refused:
            return _refuse(refused)
        return Reply(200, b"", (), reader)

    def _authenticate(self, headers: Headers) -> tuple[Place, keys.ApiKey]:
        if not self._memory.places:
            raise AccessRefused(503, keys.LOADING)
        token = keys.find_token(headers.get(b"authorization"), headers.get(b"x-api-key"))
        now = time.time()
        found = keys.authenticate(self._memory, token, now=now)
        self._memory.used[found[1].selector] = now
        return found

    def _health(self, scope: Scope) -> Reply:
        return Reply(200, status.describe_health(self._memory, self._named(scope) or ()))

    def _ready(self, scope: Scope) -> Reply:
        query, named = scope["query_string"], self._named(scope)
        code, document = status.answer_ready(self._memory, query, named)
        return _reply(code, orjson.dumps(document))

    def _write_metrics(self, scope: Scope) -> Reply:
        named = self._named(scope) or ()
        return Reply(200, status.write_metrics(self._memory, self._counters, named), (TEXT,))

    def _named(self, scope: Scope) -> Collection[int] | None:
        return status.visible(self._memory, dict(scope["headers"]), self._metrics_token)


def _reply(code: int, content: bytes) -> Reply:
    return Reply(code, content, (JSON, *EXTRA_HEADERS.get(code, ())))


def _refuse(refused: AccessRefused) -> Reply:
    """A page whose key was revoked has to learn of it."""
    if refused.status == 429:
        return _limited(refused.details, STREAM_WAIT_S)._replace(is_anyones=True)
    reply = _reply(refused.status, ofrep.error(refused.details))
    return reply._replace(is_anyones=True)


def _limited(details: str, wait_s: int) -> Reply:
    return Reply(429, ofrep.error(details), (JSON, (b"retry-after", b"%d" % wait_s)))


def _without(scope: Scope, headers: Headers, method: bytes) -> Reply:
    """A browser's question before it asks, or a method that the address does not take."""
    told = conditional.answer_preflight(headers, method) if scope["method"] == "OPTIONS" else None
    return _wrong_method(method) if told is None else Reply(204, b"", told)


def _wrong_method(allowed: bytes) -> Reply:
    details = f"this address takes {allowed.decode()} only"
    return Reply(405, ofrep.error(details), (JSON, (b"allow", allowed)), is_anyones=True)


def _refuse_body(bad: BadBody, key: str | None) -> Reply:
    if bad.status == 400:
        return Reply(400, ofrep.failure(bad.code, bad.details, key=key))
    return _reply(bad.status, ofrep.error(bad.details))


def _freshness(place: Place) -> tuple[Header, ...]:
    """The version an answer is from and, where Redis has been silent, for how long."""
    stale_s = status.staleness_s(place)
    if stale_s <= status.STALE_AFTER_S:
        return (place.state.version_header,)
    return (place.state.version_header, (b"x-aviary-stale", b"%d" % stale_s))


async def _send(send: Send, reply: Reply) -> None:
    headers = list(reply.headers)
    if reply.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
