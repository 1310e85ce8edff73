"""Requests of OpenTelemetry, built as its SDKs write them."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

METRICS, TRACES = "/v1/metrics", "/v1/traces"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
SECOND: Final = 10**9
DELTA, CUMULATIVE = 1, 2
DURATION, OLD_DURATION = "http.server.request.duration", "http.server.duration"
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
CHECKOUT: Final = {
    "service.name": "checkout",
    "service.version": "2.0",
    "service.instance.id": "one",
}
OK: Final = {"http.request.method": "GET", "http.response.status_code": 200}
FAILED: Final = {"http.request.method": "GET", "http.response.status_code": 500}


def now_ns() -> int:
    return time.time_ns()


def pairs(values: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(one)) for key, one in values.items()]


def _value(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(string_value=str(value))


def explicit(
    counts: Mapping[float, int],
    attributes: Mapping[str, object] = OK,
    *,
    began: int | None = None,
    at: int | None = None,
    bounds: Sequence[float] = BOUNDS,
    **changes: Any,
) -> HistogramDataPoint:
    """A point with so many durations in the bucket that ends with a bound, ``inf`` for the last."""
    ends = [*bounds, float("inf")]
    buckets = [counts.get(end, 0) for end in ends]
    assert sum(buckets) == sum(counts.values())
    at = now_ns() if at is None else at
    fields = {
        "start_time_unix_nano": at - 10 * SECOND if began is None else began,
        "time_unix_nano": at,
        "count": sum(buckets),
        "bucket_counts": buckets,
        "explicit_bounds": bounds,
        **changes,
    }
    return HistogramDataPoint(attributes=pairs(attributes), **fields)


def exponential(
    counts: Mapping[int, int],
    attributes: Mapping[str, object] = OK,
    *,
    scale: int = 3,
    zeros: int = 0,
    began: int | None = None,
    at: int | None = None,
    **changes: Any,
) -> ExponentialHistogramDataPoint:
    offset = min(counts, default=0)
    buckets = [counts.get(one, 0) for one in range(offset, max(counts, default=-1) + 1)]
    at = now_ns() if at is None else at
    fields = {
        "start_time_unix_nano": at - 10 * SECOND if began is None else began,
        "time_unix_nano": at,
        "count": sum(buckets) + zeros,
        "zero_count": zeros,
        "scale": scale,
        "positive": ExponentialHistogramDataPoint.Buckets(offset=offset, bucket_counts=buckets),
        **changes,
    }
    return ExponentialHistogramDataPoint(attributes=pairs(attributes), **fields)


def metric(*points: Any, name: str = DURATION, unit: str = "s", temporality: int = DELTA) -> Metric:
    kind: Any = temporality
    if points and isinstance(points[0], ExponentialHistogramDataPoint):
        data = ExponentialHistogram(data_points=points, aggregation_temporality=kind)
        return Metric(name=name, unit=unit, exponential_histogram=data)
    if points and isinstance(points[0], NumberDataPoint):
        return Metric(name=name, unit=unit, gauge=Gauge(data_points=points))
    found = Histogram(data_points=points, aggregation_temporality=kind)
    return Metric(name=name, unit=unit, histogram=found)


def metrics(
    *found: Metric, resource: Mapping[str, object] = CHECKOUT, scope: str = "http"
) -> ExportMetricsServiceRequest:
    scoped = ScopeMetrics(scope=InstrumentationScope(name=scope), metrics=found)
    one = ResourceMetrics(resource=Resource(attributes=pairs(resource)), scope_metrics=[scoped])
    return ExportMetricsServiceRequest(resource_metrics=[one])


def evaluated(
    flag: str, variant: str, *, old: bool = False, more: Mapping[str, object] | None = None
) -> Span.Event:
    name = "feature_flag" if old else "feature_flag.evaluation"
    key = "feature_flag.variant" if old else "feature_flag.result.variant"
    attributes = {"feature_flag.key": flag, key: variant, **(more or {})}
    return Span.Event(name=name, attributes=pairs(attributes))


def span(
    *events: Span.Event,
    took_ms: float = 50,
    at: int | None = None,
    is_error: bool = False,
    attributes: Mapping[str, object] | None = None,
) -> Span:
    at = now_ns() if at is None else at
    code = Status.STATUS_CODE_ERROR if is_error else Status.STATUS_CODE_UNSET
    return Span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        name="GET /",
        start_time_unix_nano=at - int(took_ms * 1e6),
        end_time_unix_nano=at,
        events=events,
        status=Status(code=code),
        attributes=pairs(attributes or {}),
    )


def traces(*found: Span, resource: Mapping[str, object] = CHECKOUT) -> ExportTraceServiceRequest:
    one = ResourceSpans(
        resource=Resource(attributes=pairs(resource)), scope_spans=[ScopeSpans(spans=found)]
    )
    return ExportTraceServiceRequest(resource_spans=[one])


def written(request: Any, kind: str = PROTOBUF) -> bytes:
    if kind == PROTOBUF:
        return bytes(request.SerializeToString())
    text: str = json_format.MessageToJson(request, indent=None, use_integers_for_enums=True)
    return text.encode()


def rejected(path: str, kind: str, answer: bytes) -> tuple[int, str]:
    """How many the answer says were rejected, and why."""
    message: Any = (
        ExportTraceServiceResponse() if path == TRACES else ExportMetricsServiceResponse()
    )
    if kind == PROTOBUF:
        message.ParseFromString(answer)
    else:
        json_format.Parse(answer, message)
    told = message.partial_success
    number = told.rejected_spans if path == TRACES else told.rejected_data_points
    return number, told.error_message
