"""The ASGI application: finds the route and the key, and hands over to ``ofrep``.

No framework: an evaluation takes some ten microseconds, and a router would take as long.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote_to_bytes

import orjson

from flags.evaluator import (
    body,
    conditional,
    keys,
    ofrep,
    otlp,
    replies,
    status,
    syncing,
    telemetry,
    tickets,
)
from flags.evaluator.batches import BatchIds
from flags.evaluator.contents import ApiKey
from flags.evaluator.counters import Counters
from flags.evaluator.framing import (
    DEFAULT_LIMITS,
    Headers,
    Receive,
    RequestLimits,
    Scope,
    Send,
)
from flags.evaluator.link import Link
from flags.evaluator.memory import CurrentEnvironment, Memory
from flags.evaluator.replies import Reply
from flags.evaluator.streams import EVENTS_PATH, Streams

logger = logging.getLogger("aviary.evaluator")

FLAGS_PATH: Final = b"/ofrep/v1/evaluate/flags"
FLAG_PREFIX: Final = FLAGS_PATH + b"/"


class AuthenticatedRequest(NamedTuple):
    place: CurrentEnvironment
    api_key: ApiKey
    headers: Headers
    query: bytes


Answer: TypeAlias = Callable[[AuthenticatedRequest, Receive], Awaitable[Reply]]


class Evaluator:
    def __init__(
        self,
        memory: Memory,
        counters: Counters,
        streams: Streams,
        request_limits: RequestLimits = DEFAULT_LIMITS,
        *,
        metrics_token: bytes = b"",
        link: Link | None = None,
    ) -> None:
        self._memory, self._counters, self._streams = memory, counters, streams
        self._request_limits = request_limits
        self._limits = keys.RateLimits()
        ids = BatchIds(memory, link)
        self._telemetry = telemetry.Telemetry(memory, counters, ids, request_limits)
        told = self._telemetry
        self._otlp = otlp.Otlp(counters, ids, request_limits, told.turns, told.history)
        self._flagd_files = syncing.FlagdFiles()
        self._metrics_token = metrics_token
        self._posts: dict[bytes, tuple[str, Answer]] = {
            FLAGS_PATH: ("bulk", partial(self._evaluate, key=None)),
            telemetry.PATH: ("telemetry", self._take_telemetry),
        }
        self._pages: dict[bytes, Callable[[Scope], Reply]] = {
            b"/health": self._health,
            b"/ready": self._ready,
            b"/metrics": self._write_metrics,
        }

    @property
    def routes(self) -> tuple[str, ...]:
        exact = (*self._posts, *otlp.PATHS, EVENTS_PATH, syncing.PATH, *self._pages)
        return (FLAG_PREFIX.decode() + "{key}", *(path.decode() for path in exact))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        route, reply = "fault", None
        try:
            route, reply = await self._answer(scope, receive)
        except body.Disconnected:
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
            await replies.send_reply(send, reply)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[str, Reply]:
        path: bytes = scope["raw_path"]
        if path.startswith(FLAG_PREFIX) and len(path) > len(FLAG_PREFIX):
            key = unquote_to_bytes(path[len(FLAG_PREFIX) :]).decode(errors="replace")
            return "single", await self._take(scope, receive, partial(self._evaluate, key=key))
        if path in self._posts:
            route, answer = self._posts[path]
            return route, await self._take(scope, receive, answer)
        if path in otlp.PATHS:
            reply = await self._take(scope, receive, partial(self._take_otlp, path=path))
            return "otlp", otlp.as_status(reply, dict(scope["headers"]))
        if path == EVENTS_PATH:
            return "events", self._open_stream(scope)
        if path == syncing.PATH:
            return "flagd", await self._send_flagd_file(scope)
        page = self._pages.get(path)
        if page is None:
            return "unknown", Reply(
                404,
                ofrep.error(
                    "there is nothing here: see /ofrep/v1/evaluate/flags, without a trailing slash"
                ),
                is_anyones=True,
            )
        if scope["method"] not in ("GET", "HEAD"):
            return path[1:].decode(), replies.wrong_method(b"GET, HEAD")
        return path[1:].decode(), page(scope)

    async def _take(self, scope: Scope, receive: Receive, answer: Answer) -> Reply:
        headers: Headers = dict(scope["headers"])
        if scope["method"] != "POST":
            return replies.without(scope, headers, b"POST")
        try:
            place, api_key = self._authenticate(headers)
            shared = conditional.allow(api_key, headers.get(b"origin"))
        except keys.AccessRefused as refused:
            return replies.refuse(refused)
        wait_s = self._limits.wait_s(api_key, now=time.monotonic())
        if wait_s:
            self._counters.limited += 1
            reply = replies.limited(keys.describe_limit(api_key, wait_s), wait_s)
        else:
            reply = await answer(
                AuthenticatedRequest(place, api_key, headers, scope["query_string"]), receive
            )
        return reply._replace(headers=(*reply.headers, *shared)) if shared else reply

    async def _take_telemetry(self, request: AuthenticatedRequest, receive: Receive) -> Reply:
        try:
            raw = await body.receive_body(request.headers, receive, self._telemetry.limits)
            told = await self._telemetry.take(request.place, request.api_key, raw)
        except body.BadBody as bad:
            return replies.answer(bad.status, ofrep.error(bad.details))
        return Reply(202, orjson.dumps(told))

    async def _take_otlp(
        self, request: AuthenticatedRequest, receive: Receive, *, path: bytes
    ) -> Reply:
        try:
            return await self._otlp.answer(
                path, request.place, request.api_key, request.headers, receive
            )
        except body.BadBody as bad:
            return replies.answer(bad.status, ofrep.error(bad.details))

    async def _evaluate(
        self, request: AuthenticatedRequest, receive: Receive, *, key: str | None
    ) -> Reply:
        place, api_key, headers, _query = request
        try:
            raw = await body.receive_body(headers, receive, self._request_limits)
            context = body.read_context(raw, self._request_limits)
        except body.BadBody as bad:
            return replies.refuse_body(bad, key)
        if place.state.head.sampling:
            self._counters.samples.offer(place.state.environment_id, context)
        if key is None:
            return await self._evaluate_all(request, context)
        answer = ofrep.evaluate_one(
            place.state, key, context, is_client=api_key.is_client, counters=self._counters
        )
        return Reply(*answer, (replies.JSON, *replies.freshness(place)))

    async def _evaluate_all(
        self, request: AuthenticatedRequest, context: dict[str, object]
    ) -> Reply:
        place, api_key, headers, query = request
        wanted = conditional.read_query(query)
        if wanted is not None and not await conditional.catch_up(place, wanted):
            return replies.answer(503, ofrep.error(conditional.BEHIND))
        state, about = place.state, replies.freshness(place)
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
        return Reply(200, ofrep.with_streams(content, streams), (replies.JSON, *about))

    async def _send_flagd_file(self, scope: Scope) -> Reply:
        headers: Headers = dict(scope["headers"])
        if scope["method"] not in ("GET", "HEAD"):
            return replies.wrong_method(b"GET, HEAD")
        try:
            place, api_key = self._authenticate(headers)
            syncing.check(api_key)
        except keys.AccessRefused as refused:
            return replies.refuse(refused)
        wait_s = self._limits.wait_s(api_key, now=time.monotonic())
        if wait_s:
            self._counters.limited += 1
            return replies.limited(keys.describe_limit(api_key, wait_s), wait_s)
        freshness = replies.freshness(place)
        file = await self._flagd_files.read(place.state)
        about = (*file.headers, *freshness)
        offered = headers.get(b"if-none-match")
        if offered is not None and ofrep.matches_tag(offered, file.tag):
            return Reply(304, b"", about)
        return Reply(200, file.body, (replies.JSON, *about))

    def _open_stream(self, scope: Scope) -> Reply:
        headers: Headers = dict(scope["headers"])
        if scope["method"] != "GET":
            return replies.without(scope, headers, b"GET")
        try:
            reader = self._streams.open(scope["query_string"], headers, now=time.time())
        except keys.AccessRefused as refused:
            return replies.refuse(refused)
        return Reply(200, b"", (), reader)

    def _authenticate(self, headers: Headers) -> tuple[CurrentEnvironment, ApiKey]:
        if not self._memory.places:
            raise keys.AccessRefused(503, keys.LOADING)
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
        return replies.answer(code, orjson.dumps(document))

    def _write_metrics(self, scope: Scope) -> Reply:
        named = self._named(scope) or ()
        return Reply(
            200, status.write_metrics(self._memory, self._counters, named), (replies.TEXT,)
        )

    def _named(self, scope: Scope) -> Collection[int] | None:
        return status.visible(self._memory, dict(scope["headers"]), self._metrics_token)
