"""Points of histograms, decoded and checked: explicit or exponential, from protobuf or JSON."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from struct import unpack
from typing import Any, Final, NamedTuple

import orjson
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
)

from flags.channel.points import MOST_SCALE, ZERO, Layout, at_scale
from flags.evaluator.entries import Rejected
from flags.evaluator.otlp_lean import LeanExponentialPoint, LeanPoint
from flags.evaluator.otlp_wire import (
    EXPLICIT,
    EXPONENTIAL,
    MOST_BYTES,
    Attributes,
    Value,
    attributes_of,
)

MOST_BOUNDS: Final = 500
MOST_COUNT: Final = 2**50
_NO_VALUE: Final = 1  # the flag of a point that says that there is none
LEAST_SCALE, FINEST_SCALE = -10, 20

LARGE: Final = f"a point is larger than {MOST_BYTES} bytes"
COUNT: Final = f"counts must be whole numbers from 0 to {MOST_COUNT}"
SUM: Final = "a sum must be a number, and not negative: durations are not"
BUCKETS: Final = "the counts of a point's buckets must add up to its count"
BOUNDS: Final = f"bounds must be up to {MOST_BOUNDS} numbers that rise, one fewer than buckets"
SCALE: Final = f"the scale must be from {LEAST_SCALE} to {FINEST_SCALE}, and buckets 1000 at most"
NEGATIVE: Final = "a duration is not negative: leave the negative buckets empty"


class Exponential(NamedTuple):
    scale: int
    offset: int
    zeros: int
    threshold: float
    is_negative: bool


class RawPoint(NamedTuple):
    """A point as it was sent, its times in nanoseconds; ``identity`` stands for its ``attributes``,
    which are as they came. An explicit histogram has a ``layout``, unless it has no buckets."""

    identity: bytes
    start: int
    time: int
    total: int
    sum: float
    buckets: Sequence[int]
    layout: Layout | None
    exponential: Exponential | None
    is_empty: bool
    attributes: Any


Decode = Callable[[Any, float], RawPoint]
Buckets = ExponentialHistogramDataPoint.Buckets


def attributes_of_point(one: RawPoint) -> Attributes:
    """Raises what decoding raises."""
    raw = one.attributes
    if isinstance(raw, list):  # of objects, as JSON has them
        return json_attributes(raw)
    return attributes_of([KeyValue.FromString(pair) for pair in raw])


def read_explicit(raw: bytes, unit: float) -> RawPoint:
    """``unit`` is how many milliseconds its one is. Raises Rejected, and DecodeError for what is no
    such point."""
    if len(raw) > MOST_BYTES:
        raise Rejected(LARGE)
    one = LeanPoint.FromString(raw)
    packed, bounds = one.bucket_counts, one.explicit_bounds
    count = len(packed) // 8
    if len(packed) % 8 or len(bounds) != max(0, 8 * count - 8):
        return _read_as_written(raw, one, unit)
    return RawPoint(
        b"".join(one.attributes),
        one.start_time_unix_nano,
        one.time_unix_nano,
        one.count,
        one.sum,
        unpack(f"<{count}Q", packed),
        _packed_layout(bounds, unit),
        None,
        bool(one.flags & _NO_VALUE),
        one.attributes,
    )


def _read_as_written(raw: bytes, lean: Any, unit: float) -> RawPoint:
    """Numbers that are not packed, or in several parts, as any reader has to take them."""
    one = HistogramDataPoint.FromString(raw)
    buckets = list(one.bucket_counts)
    if len(buckets) != len(one.explicit_bounds) + 1 and (buckets or one.explicit_bounds):
        raise Rejected(BOUNDS)
    return RawPoint(
        b"".join(lean.attributes),
        one.start_time_unix_nano,
        one.time_unix_nano,
        one.count,
        one.sum,
        buckets,
        layout_of(tuple(one.explicit_bounds), unit),
        None,
        bool(one.flags & _NO_VALUE),
        lean.attributes,
    )


def read_exponential(raw: bytes, unit: float) -> RawPoint:
    """Raises Rejected, and DecodeError for what is no such point."""
    if len(raw) > MOST_BYTES:
        raise Rejected(LARGE)
    one = LeanExponentialPoint.FromString(raw)
    positive = Buckets.FromString(one.positive)
    negative = bool(one.negative) and any(Buckets.FromString(one.negative).bucket_counts)
    told = (positive.offset, one.zero_count, one.zero_threshold, negative)
    return RawPoint(
        b"".join(one.attributes),
        one.start_time_unix_nano,
        one.time_unix_nano,
        one.count,
        one.sum,
        list(positive.bucket_counts),
        None,
        Exponential(one.scale, *told),
        bool(one.flags & _NO_VALUE),
        one.attributes,
    )


PROTOBUF: Final[dict[str, Decode]] = {EXPLICIT: read_explicit, EXPONENTIAL: read_exponential}


def json_explicit(one: Mapping[str, Any], unit: float) -> RawPoint:
    """Raises Rejected, and ValueError, TypeError or AttributeError for what is no such point."""
    buckets = _counts(one.get("bucketCounts"))
    bounds = tuple(map(float, one.get("explicitBounds") or ()))
    if len(buckets) != len(bounds) + 1 and (buckets or bounds):
        raise Rejected(BOUNDS)
    return _json_point(one, buckets, layout_of(bounds, unit), None)


def json_exponential(one: Mapping[str, Any], unit: float) -> RawPoint:
    """Raises Rejected, and ValueError, TypeError or AttributeError for what is no such point."""
    positive, negative = one.get("positive") or {}, one.get("negative") or {}
    told = Exponential(
        integer(one.get("scale")),
        integer(positive.get("offset")),
        _count(one.get("zeroCount")),
        float(one.get("zeroThreshold") or 0),
        any(_counts(negative.get("bucketCounts"))),
    )
    return _json_point(one, _counts(positive.get("bucketCounts")), None, told)


JSON: Final[dict[str, Decode]] = {EXPLICIT: json_explicit, EXPONENTIAL: json_exponential}


def _json_point(
    one: Mapping[str, Any],
    buckets: list[int],
    layout: Layout | None,
    exponential: Exponential | None,
) -> RawPoint:
    attributes = one.get("attributes") or []
    return RawPoint(
        orjson.dumps(attributes),
        integer(one.get("startTimeUnixNano")),
        integer(one.get("timeUnixNano")),
        _count(one.get("count")),
        float(one.get("sum") or 0),
        buckets,
        layout,
        exponential,
        bool(integer(one.get("flags")) & _NO_VALUE),
        attributes,
    )


def integer(value: object) -> int:
    """A whole number in JSON, which 64-bit ones are written as texts in. Raises ValueError."""
    if value is None:
        return 0
    is_text = isinstance(value, str) and len(value) <= 20
    if not is_text and type(value) is not int:
        raise ValueError("no whole number")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _count(value: object) -> int:
    return _counts([value])[0]


def _counts(values: Iterable[object] | None) -> list[int]:
    found = [integer(one) for one in values or ()]
    if found and min(found) < 0:
        raise Rejected(COUNT)
    return found


def json_attributes(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Value]:
    """Raises ValueError, TypeError or AttributeError for what are no attributes."""
    found: dict[str, Value] = {}
    for pair in pairs:
        value = pair.get("value") or {}
        told: Any = value.get("stringValue", value.get("boolValue", value.get("doubleValue")))
        if "intValue" in value:
            told = integer(value["intValue"])
        found[str(pair.get("key", ""))] = told
    return found


def counts_of(one: RawPoint, unit: float) -> tuple[Layout, Mapping[int, int]]:
    """The buckets of a point that hold anything. Raises Rejected."""
    buckets, total = one.buckets, one.total
    if total > MOST_COUNT:
        raise Rejected(COUNT)
    if not 0 <= one.sum < math.inf:
        raise Rejected(SUM)
    if one.exponential is not None:
        return _exponential_counts(one, one.exponential, unit)
    if buckets and sum(buckets) != total:
        raise Rejected(BUCKETS)
    counts = {at: count for at, count in enumerate(buckets) if count}
    return one.layout or layout_of((), unit), counts


@lru_cache(maxsize=1_000)
def _packed_layout(bounds: bytes, unit: float) -> Layout:
    return layout_of(unpack(f"<{len(bounds) // 8}d", bounds), unit)


@lru_cache(maxsize=1_000)
def layout_of(bounds: tuple[float, ...], unit: float) -> Layout:
    """Raises Rejected for what are no bounds."""
    rises = all(low < high for low, high in pairwise(bounds))
    if not rises or len(bounds) > MOST_BOUNDS or not all(map(math.isfinite, bounds)):
        raise Rejected(BOUNDS)
    return Layout(None, tuple(float(f"{bound * unit:.9g}") for bound in bounds))


def _exponential_counts(
    one: RawPoint, told: Exponential, unit: float
) -> tuple[Layout, Mapping[int, int]]:
    if told.is_negative:
        raise Rejected(NEGATIVE)
    if sum(one.buckets) + told.zeros != one.total:
        raise Rejected(BUCKETS)
    is_known = LEAST_SCALE <= told.scale <= FINEST_SCALE and len(one.buckets) <= 1000
    if not is_known or abs(told.offset) >= 2**31 or not 0 <= told.threshold < math.inf:
        raise Rejected(SCALE)
    counts = {at: count for at, count in enumerate(one.buckets, told.offset) if count}
    shift = max(0, told.scale - MOST_SCALE)
    merged = dict(at_scale(counts, shift))
    if told.zeros:
        merged[ZERO] = told.zeros
    return _exponential_layout(told.scale - shift, told.threshold * unit, unit), merged


@lru_cache(maxsize=1_000)
def _exponential_layout(scale: int, threshold: float, unit: float) -> Layout:
    return Layout(scale, (threshold, unit))
