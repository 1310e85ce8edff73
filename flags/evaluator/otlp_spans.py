"""Spans that carry a flag's evaluation: what became of whom a variant was served."""

import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from flags.channel.points import SECOND_NS
from flags.channel.telemetry import (
    AHEAD_BY_S,
    FLAG,
    LATE_BY_S,
    MAX_ERROR_TYPE_CHARS,
    WIDTH_S,
    BucketKey,
    Counts,
)
from flags.engine.sketch import bucket_of
from flags.evaluator.body import BadBody
from flags.evaluator.contents import ApiKey
from flags.evaluator.entries import MOST_DURATION_MS, Rejected
from flags.evaluator.memory import CurrentEnvironment
from flags.evaluator.otlp_points import integer, json_attributes
from flags.evaluator.otlp_sources import ERROR_TYPE, check_environment, error_of
from flags.evaluator.otlp_wire import MOST_BYTES, NOT_PROTOBUF, Attributes, Owner, attributes_of
from flags.evaluator.outcomes import Collector
from flags.evaluator.turns import SLICE_S
from flags.evaluator.variants import KnownVariants

EVENTS: Final = ("feature_flag.evaluation", "feature_flag")
VARIANT: Final = ("feature_flag.result.variant", "feature_flag.variant")
KEY: Final = "feature_flag.key"
ERROR: Final = 2  # the status of a span

LARGE: Final = f"a span is larger than {MOST_BYTES} bytes"
FUTURE: Final = f"the span is more than {AHEAD_BY_S} seconds ahead of the evaluator's clock"
PAST: Final = f"the span is more than {LATE_BY_S // 60} minutes old"
BACKWARDS: Final = "the span begins after it ends"


class RawSpan(NamedTuple):
    """A span as it was sent, times in nanoseconds; of each evaluation its time and attributes."""

    start: int
    end: int
    is_error: bool
    attributes: Attributes
    evaluations: Sequence[tuple[int, Attributes]]


def read_span(raw: bytes) -> RawSpan | None:
    """None where it carries no evaluation. Raises Rejected, and DecodeError."""
    if b"feature_flag" not in raw:
        return None
    if len(raw) > MOST_BYTES:
        raise Rejected(LARGE)
    span = Span.FromString(raw)
    events = [one for one in span.events if one.name in EVENTS]
    found = [(one.time_unix_nano, attributes_of(one.attributes)) for one in events]
    return RawSpan(
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == ERROR,
        attributes_of(span.attributes),
        found,
    )


def json_span(span: Mapping[str, Any]) -> RawSpan | None:
    """None where it carries no evaluation. Raises what wrong types raise."""
    events = [one for one in span.get("events") or () if one.get("name") in EVENTS]
    if not events:
        return None
    return RawSpan(
        integer(span.get("startTimeUnixNano")),
        integer(span.get("endTimeUnixNano")),
        integer((span.get("status") or {}).get("code")) == ERROR,
        json_attributes(span.get("attributes") or ()),
        [
            (integer(one.get("timeUnixNano")), json_attributes(one.get("attributes") or ()))
            for one in events
        ],
    )


Decode = Callable[[Any], RawSpan | None]


class SpansReading:
    """What one request says. Nothing of it is counted until all of it was read."""

    def __init__(
        self,
        place: CurrentEnvironment,
        key: ApiKey,
        outcomes: Collector,
        variants: KnownVariants,
        decode: Decode,
        most: int,
    ) -> None:
        self.place = place
        self.buckets: dict[BucketKey, Counts] = {}
        self.accepted, self.seen = 0, 0
        self.rejected: Counter[str] = Counter()
        self._outcomes, self._variants = outcomes, variants
        self._decode, self._most = decode, most
        now = time.time()
        self._oldest = int((now - LATE_BY_S) * SECOND_NS)
        self._newest = int((now + AHEAD_BY_S) * SECOND_NS)

    async def read_all(
        self, spans: Iterator[tuple[Owner, Any] | None], pause: Callable[[], Awaitable[None]]
    ) -> None:
        """Read every span; others get their turn in between. Raises BadBody."""
        clock = time.monotonic
        self._outcomes.turn(time.time())
        pause_at = clock() + SLICE_S
        for found in spans:
            if found is not None:
                self._read(*found)
            if clock() > pause_at:
                await pause()
                pause_at = clock() + SLICE_S
        self.accepted = self.seen - sum(self.rejected.values())

    def _read(self, owner: Owner, raw: Any) -> None:
        self.seen += 1
        if self.seen > self._most:
            raise BadBody(f"a request has at most {self._most} spans", status=413)
        try:
            span = self._decode(raw)
            if span is not None and span.evaluations:
                check_environment(self.place, owner.resource)
                self._count(span)
        except Rejected as rejected:
            self.rejected[str(rejected)] += 1
        except (ValueError, TypeError, AttributeError, DecodeError):
            raise BadBody(NOT_PROTOBUF.format("ExportTraceServiceRequest")) from None

    def _count(self, span: RawSpan) -> None:
        """Each flag and variant once, at the instant of its first evaluation."""
        if span.start > span.end:
            raise Rejected(BACKWARDS)
        served: dict[tuple[str, str], int] = {}
        for at, attributes in span.evaluations:
            variant = next((attributes[one] for one in VARIANT if one in attributes), None)
            if variant is not None and ERROR_TYPE not in attributes:
                name = str(attributes.get(KEY, ""))
                found = name, self._variants.of(name, str(variant))
                served[found] = min(served.get(found, at or span.start), at or span.start)
        counts = [self._counts_at(*found, at) for found, at in served.items()]
        _add(counts, span)

    def _counts_at(self, flag: str, variant: str, at: int) -> Counts:
        if at < self._oldest:
            raise Rejected(PAST)
        if at > self._newest:
            raise Rejected(FUTURE)
        start = at // SECOND_NS // WIDTH_S * WIDTH_S
        key = (self.place.state.environment_id, FLAG, flag, variant, False, start)
        counts = self.buckets.get(key)
        if counts is None:
            refusal = self._outcomes.why_not(key)
            if refusal:
                raise Rejected(refusal)
            counts = self.buckets[key] = Counts()
        return counts


def _add(found: Iterable[Counts], span: RawSpan) -> None:
    failed, kind = error_of(span.attributes)
    is_error = failed or span.is_error
    kind = kind or _text(span.attributes.get(ERROR_TYPE))
    took = min((span.end - span.start) / 1e6, MOST_DURATION_MS)
    for counts in found:
        counts.requests += 1
        if is_error:
            counts.errors += 1
            if kind:
                counts.fail(kind, 1)
        if math.isfinite(took):
            bucket = bucket_of(took)
            counts.durations[bucket] = counts.durations.get(bucket, 0) + 1


def _text(value: object) -> str:
    text = "" if value is None else str(value)[:MAX_ERROR_TYPE_CHARS]
    return text if text.isprintable() else ""
