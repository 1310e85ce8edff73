"""OTLP requests as they come, protobuf or JSON, taken apart a piece at a time.

Metrics that nobody counts are skipped unread, and points are decoded one by one, so that others get
their turn in between however large a request is. What is malformed is found wherever it is read.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from flags.evaluator.body import BadBody

EXPLICIT, EXPONENTIAL, OTHER = "explicit", "exponential", "other"
DELTA: Final = 1
CUMULATIVE: Final = 2
# Fields of a Metric that hold its points, by what kind of metric it is then.
KINDS: Final = {5: OTHER, 7: OTHER, 9: EXPLICIT, 10: EXPONENTIAL, 11: OTHER}
AT_ONCE: Final = 50
FIELDS_AT_ONCE: Final = 500
# Of a resource, a point or a span: decoding more at once would hold up others.
MOST_BYTES: Final = 64 * 1024
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

NOT_PROTOBUF: Final = "the body is not a valid {} in protobuf"

Value: TypeAlias = str | int | float | bool | None
Attributes: TypeAlias = Mapping[str, Value]


class Owner(NamedTuple):
    """Whose metrics or spans follow: the attributes of a resource, and a scope."""

    resource: Attributes
    scope: tuple[str, str]


class Metric(NamedTuple):
    owner: Owner
    name: str
    unit: str
    kind: str
    temporality: int


Field: TypeAlias = tuple[int, int, int]
PAUSE: Final[Field] = 0, 0, -1


def fields(raw: bytes, at: int, end: int) -> Iterator[Field]:
    """The fields of a message: their number, and where they begin and end; of a varint its value,
    and -1. PAUSE comes in between. Raises ValueError or IndexError for what is no protobuf."""
    count = 0
    while at < end:
        count += 1
        if not count % FIELDS_AT_ONCE:
            yield PAUSE
        tag, at = _varint(raw, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise ValueError("a field without a number")
        if kind == _BYTES:
            size, at = _varint(raw, at)
            yield number, at, at + size
            at += size
        elif kind == _VARINT:
            value, at = _varint(raw, at)
            yield number, value, -1
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("no such type of field")
    if at != end:
        raise ValueError("a field is longer than its message")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = raw[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for shift in range(7, 70, 7):
        at += 1
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + 1
    raise ValueError("a number is too long")


def value_of(value: AnyValue) -> Value:
    """The value of an attribute; None for lists and what else nobody counts by."""
    kind = value.WhichOneof("value")
    if kind in ("string_value", "int_value", "double_value", "bool_value"):
        found: Value = getattr(value, kind)
        return found
    return None


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    return {pair.key: value_of(pair.value) for pair in pairs}


Piece: TypeAlias = tuple[Metric, list[Any]]


def metrics(raw: bytes, wanted: frozenset[str]) -> Iterator[Piece | None]:
    """The points of those metrics that are wanted, some at a time; None for a pause.

    Raises BadBody where the body is malformed.
    """
    try:
        for found in _owned(raw):
            if found is None:
                yield None
            else:
                yield from _points(raw, *found, wanted)
    except (ValueError, IndexError, DecodeError):
        raise BadBody(NOT_PROTOBUF.format("ExportMetricsServiceRequest")) from None


def spans(raw: bytes) -> Iterator[tuple[Owner, bytes] | None]:
    """The spans of a request; None for a pause. Raises BadBody."""
    try:
        for found in _owned(raw):
            yield None if found is None else (found[0], raw[found[1] : found[2]])
    except (ValueError, IndexError, DecodeError):
        raise BadBody(NOT_PROTOBUF.format("ExportTraceServiceRequest")) from None


Owned: TypeAlias = tuple[Owner, int, int]


def _owned(raw: bytes) -> Iterator[Owned | None]:
    """Every metric or span with its owner. Both requests are of one form: resources (1), each with
    its attributes (1) and scopes (2), each with its name (1) and metrics or spans (2)."""
    for number, start, stop in fields(raw, 0, len(raw)):
        if number == 1 and stop >= 0:
            yield from _resource(raw, start, stop)
        elif not number:
            yield None


def _resource(raw: bytes, start: int, stop: int) -> Iterator[Owned | None]:
    resource, scopes = Resource(), list[tuple[int, int]]()
    for part in _parts(raw, start, stop, resource):
        if part is None:
            yield None
        else:
            scopes.append(part)
    named = attributes_of(resource.attributes)
    for begin, end in scopes:
        scope, found = InstrumentationScope(), list[tuple[int, int]]()
        for part in _parts(raw, begin, end, scope):
            if part is None:
                yield None
            else:
                found.append(part)
        owner = Owner(named, (scope.name, scope.version))
        yield from ((owner, *place) for place in found)


def _parts(raw: bytes, start: int, stop: int, about: Message) -> Iterator[tuple[int, int] | None]:
    """Where the things (2) are of a message that says in its field 1 what they are of."""
    for number, begin, end in fields(raw, start, stop):
        if number == 1 and end >= 0:
            if end - begin > MOST_BYTES:
                raise ValueError("a resource of that size")
            about.MergeFromString(raw[begin:end])
        elif number == 2 and end >= 0:
            yield begin, end
        elif not number:
            yield None


def _points(
    raw: bytes, owner: Owner, start: int, stop: int, wanted: frozenset[str]
) -> Iterator[Piece | None]:
    texts, data = {1: "", 3: ""}, PAUSE
    for number, begin, end in fields(raw, start, stop):
        if number in texts and end >= 0:
            texts[number] = raw[begin : min(end, begin + MOST_BYTES)].decode()
        elif number in KINDS and end >= 0:
            data = number, begin, end
        elif not number:
            yield None
    yield None
    if texts[1] in wanted and data[0]:
        yield from _pieces(raw, Metric(owner, texts[1], texts[3], KINDS[data[0]], 0), *data[1:])


def _pieces(raw: bytes, metric: Metric, start: int, stop: int) -> Iterator[Piece | None]:
    """Its points are known before its temporality, which all of them have."""
    found = list[tuple[int, int]]()
    for number, begin, end in fields(raw, start, stop):
        if number == 1 and end >= 0:
            found.append((begin, end))
        elif number == 2 and end < 0:
            metric = metric._replace(temporality=begin)
        elif not number:
            yield None
    for at in range(0, len(found), AT_ONCE):
        yield metric, [raw[begin:end] for begin, end in found[at : at + AT_ONCE]]
