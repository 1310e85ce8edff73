"""``POST /v1/metrics`` and ``/v1/traces``: what OpenTelemetry's exporters send, over HTTP.

Answered as the protocol says (https://opentelemetry.io/docs/specs/otlp/#otlphttp): in the encoding
that was sent, 200 with what was rejected and why, and whatever else with a ``Status``. Exporters
try again after 429, 502, 503 and 504, and after nothing else.
"""

import asyncio
import hashlib
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from flags.evaluator import body, otlp_json, otlp_points, otlp_spans, otlp_wire
from flags.evaluator.batches import BatchIds
from flags.evaluator.body import BadBody
from flags.evaluator.contents import ApiKey
from flags.evaluator.counters import Counters
from flags.evaluator.framing import Headers, Receive, RequestLimits
from flags.evaluator.memory import CurrentEnvironment
from flags.evaluator.otlp_metrics import WANTED, MetricsReading
from flags.evaluator.otlp_sources import KnownSources
from flags.evaluator.otlp_spans import SpansReading
from flags.evaluator.replies import EXTRA_HEADERS, Reply
from flags.evaluator.rule_history import RuleHistory
from flags.evaluator.telemetry import add_outcomes
from flags.evaluator.turns import SLICE_S, Turns
from flags.evaluator.variants import KnownVariants

METRICS: Final = b"/v1/metrics"
TRACES: Final = b"/v1/traces"
PATHS: Final = (METRICS, TRACES)
PROTOBUF: Final = b"application/x-protobuf"
JSON: Final = b"application/json"
STEP_BYTES: Final = 32 * 1024
# Files may be joined; nobody joins more of them.
MOST_MEMBERS: Final = 100
# Sentences that one answer has at most.
MOST_REASONS: Final = 5
# Of google.rpc.Code, which a Status names; 13 is "internal".
CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 429: 8, 503: 14}
DAY_S: Final = 24 * 3600

TYPES: Final = "send application/x-protobuf or application/json"
CLIENT: Final = (
    "OpenTelemetry takes a server key, or a client key with the right telemetry: this one has not"
)
NOT_GZIP: Final = "the body is not valid gzip"

Reading = MetricsReading | SpansReading
Breath = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Otlp:
    counters: Counters
    ids: BatchIds
    request_limits: RequestLimits
    turns: Turns
    history: RuleHistory
    known: KnownSources = field(default_factory=KnownSources)
    limits: RequestLimits = field(init=False)

    def __post_init__(self) -> None:
        told = self.request_limits
        self.limits = replace(told, body_bytes=told.telemetry_bytes)

    async def answer(
        self,
        path: bytes,
        place: CurrentEnvironment,
        key: ApiKey,
        headers: Headers,
        receive: Receive,
    ) -> Reply:
        """Raises BadBody and Disconnected."""
        kind = content_type(headers)
        if kind not in (PROTOBUF, JSON):
            raise BadBody(TYPES, status=415)
        if not key.decides:
            raise BadBody(CLIENT, status=403)
        raw = await body.receive_body(headers, receive, self.limits, gzip=True)
        reading = self._reading(path, place, key, is_json=kind == JSON)
        async with self.turns.take(len(raw)):
            if is_gzip(headers):
                raw = await inflate(raw, self.limits, self.turns.pause)
            await reading.read_all(_pieces(path, raw, is_json=kind == JSON), self.turns.pause)
        await self._count(reading, key, raw)
        return Reply(200, write_answer(path, reading.rejected, kind), ((b"content-type", kind),))

    def _reading(
        self, path: bytes, place: CurrentEnvironment, key: ApiKey, *, is_json: bool
    ) -> Any:
        told, most = self.counters.telemetry, self.limits.telemetry_outcomes
        if path == TRACES:
            variants = KnownVariants(place, self.history, key.is_client)
            read_span: Any = otlp_spans.json_span if is_json else otlp_spans.read_span
            return SpansReading(place, key, told, variants, read_span, most)
        decode = otlp_points.JSON if is_json else otlp_points.PROTOBUF
        return MetricsReading(place, told, self.counters.points, self.known, decode, most)

    async def _count(self, reading: Reading, key: ApiKey, raw: bytes) -> None:
        """What goes on counting may come twice, but what counts at once is told apart: exporters
        send the same bytes again, and no other request has the same times."""
        counted = self.counters.telemetry.counted
        if reading.buckets:
            batch_id = "otlp " + hashlib.blake2b(raw, digest_size=16).hexdigest()
            environment_id = reading.place.state.environment_id
            if not await self.ids.is_new(environment_id, key, batch_id):
                counted["repeated"] += reading.accepted
                return
        counted["accepted"] += reading.accepted
        counted["rejected"] += sum(reading.rejected.values())
        await add_outcomes(self.counters.telemetry, reading.buckets)
        if isinstance(reading, MetricsReading):
            await self._keep(reading)

    async def _keep(self, reading: MetricsReading) -> None:
        pause_at = time.monotonic() + SLICE_S
        for source, told in reading.points.items():
            for known, point in told:
                # Taken anew after every pause: what was held before may be on its way.
                self.counters.points.points.add(source, known, point)
                if time.monotonic() > pause_at:
                    await asyncio.sleep(0)
                    pause_at = time.monotonic() + SLICE_S


def _pieces(path: bytes, raw: bytes, *, is_json: bool) -> Any:
    module: Any = otlp_json if is_json else otlp_wire
    return module.spans(raw) if path == TRACES else module.metrics(raw, WANTED)


def content_type(headers: Headers) -> bytes:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


def is_gzip(headers: Headers) -> bool:
    return headers.get(b"content-encoding", b"").strip().lower() == b"gzip"


async def inflate(raw: bytes, limits: RequestLimits, pause: Breath) -> bytes:
    """What was compressed, a piece at a time; others get their turn in between. Raises BadBody as
    soon as it is more than it may be, whatever is still to come."""
    whole = bytearray()
    try:
        for piece in _unpacked(raw):
            whole += piece
            if len(whole) > limits.body_bytes:
                text = f"the body is larger than {limits.body_bytes} bytes once it is unpacked"
                raise BadBody(text, status=413)
            await pause()
    except zlib.error:
        raise BadBody(NOT_GZIP) from None
    return bytes(whole)


def _unpacked(raw: bytes) -> Iterator[bytes]:
    stream, members = zlib.decompressobj(wbits=31), 1
    for at in range(0, len(raw), STEP_BYTES):
        part = raw[at : at + STEP_BYTES]
        while part:
            if stream.eof:
                stream, members = zlib.decompressobj(wbits=31), members + 1
                if members > MOST_MEMBERS:
                    raise BadBody(NOT_GZIP)
            yield stream.decompress(part, STEP_BYTES)
            part = stream.unused_data if stream.eof else stream.unconsumed_tail
    yield stream.flush()
    if not stream.eof:
        raise BadBody(NOT_GZIP)


def write_answer(path: bytes, rejected: Counter[str], kind: bytes) -> bytes:
    number, text = sum(rejected.values()), describe(rejected)
    if kind == JSON:
        name = "rejectedSpans" if path == TRACES else "rejectedDataPoints"
        told = {"partialSuccess": {name: str(number), "errorMessage": text}} if number else {}
        return orjson.dumps(told)
    if not number:
        return b""
    if path == TRACES:
        spans = ExportTracePartialSuccess(rejected_spans=number, error_message=text)
        return bytes(ExportTraceServiceResponse(partial_success=spans).SerializeToString())
    points = ExportMetricsPartialSuccess(rejected_data_points=number, error_message=text)
    return bytes(ExportMetricsServiceResponse(partial_success=points).SerializeToString())


def describe(rejected: Counter[str]) -> str:
    """The commonest reasons, each with how many it stopped."""
    reasons = [f"{count} x {reason}" for reason, count in rejected.most_common(MOST_REASONS)]
    more = len(rejected) - len(reasons)
    return "; ".join(reasons) + (f"; and {more} other reasons" if more > 0 else "")


def refuse(status: int, details: str, headers: Headers) -> Reply:
    """A refusal as a Status, in the encoding that was sent; JSON where that is not known."""
    extra = EXTRA_HEADERS.get(status, ())
    code = CODES.get(status, 13)
    if content_type(headers) == PROTOBUF:
        text = details.encode()
        content = b"\x08" + bytes([code]) + b"\x12" + _varint(len(text)) + text
        return Reply(status, content, ((b"content-type", PROTOBUF), *extra))
    content = orjson.dumps({"code": code, "message": details})
    return Reply(status, content, ((b"content-type", JSON), *extra))


def as_status(reply: Reply, headers: Headers) -> Reply:
    """A refusal that was written for all routes, as a Status."""
    if reply.status < 400:
        return reply
    details = orjson.loads(reply.body).get("errorDetails", "")
    told = refuse(reply.status, details, headers)
    names = {name for name, _value in told.headers}
    more = [one for one in reply.headers if one[0] not in names]
    return told._replace(headers=(*told.headers, *more), is_anyones=reply.is_anyones)


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])
