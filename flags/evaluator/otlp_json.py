"""OTLP requests in JSON, as the protocol writes it: names in lowerCamelCase, enums as numbers,
64-bit numbers as texts, and what is not known ignored."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

import orjson

from flags.evaluator.body import BadBody
from flags.evaluator.otlp_points import integer, json_attributes
from flags.evaluator.otlp_wire import (
    AT_ONCE,
    EXPLICIT,
    EXPONENTIAL,
    OTHER,
    Metric,
    Owner,
    Piece,
)

NOT_JSON: Final = "the body is not valid JSON: {}"
NOT_OTLP: Final = "the body is not a valid {} in JSON"
KINDS: Final = {
    "histogram": EXPLICIT,
    "exponentialHistogram": EXPONENTIAL,
    "gauge": OTHER,
    "sum": OTHER,
    "summary": OTHER,
}
# Of a body that is parsed as a whole; others wait for that.
WHOLE_BYTES: Final = 32 * 1024
PIECE_BYTES: Final = 16 * 1024
TRIES: Final = 12
# Where lists of points and spans begin, and where one of their items may end. A text cannot hold
# the first: its quotation marks have backslashes.
_LISTS: Final = re.compile(rb'"(?:dataPoints|spans)"\s*:\s*\[')
_BETWEEN: Final = re.compile(rb"\}\s*,\s*(?=\{)")
# Stands for items that were cut out of a list; a name that no other object has.
_CUT: Final = "aviary.cut"
Document: TypeAlias = Mapping[str, Any]
WRONG: Final = (ValueError, TypeError, AttributeError, LookupError)


def metrics(raw: bytes, wanted: frozenset[str]) -> Iterator[Piece | None]:
    """As ``otlp_wire.metrics``."""
    body = _Body(raw)
    try:
        yield from body.cut()
        for owner, metric in body.owned("resourceMetrics", "scopeMetrics", "metrics"):
            yield None
            if metric.get("name") in wanted:
                yield from _points(body, owner, metric)
    except WRONG:
        raise BadBody(NOT_OTLP.format("ExportMetricsServiceRequest")) from None


def _points(body: "_Body", owner: Owner, metric: Document) -> Iterator[Piece]:
    for field, kind in KINDS.items():
        data = metric.get(field)
        if data is not None:
            temporality = integer(data.get("aggregationTemporality"))
            found = Metric(owner, metric["name"], metric.get("unit") or "", kind, temporality)
            for points in body.items(data.get("dataPoints") or []):
                for at in range(0, len(points), AT_ONCE):
                    yield found, points[at : at + AT_ONCE]


def spans(raw: bytes) -> Iterator[tuple[Owner, Any] | None]:
    """As ``otlp_wire.spans``."""
    body = _Body(raw)
    try:
        yield from body.cut()
        for owner, scope in body.owned("resourceSpans", "scopeSpans", ""):
            for found in body.items(scope.get("spans") or []):
                yield from ((owner, span) for span in found)
    except WRONG:
        raise BadBody(NOT_OTLP.format("ExportTraceServiceRequest")) from None


class _Body:
    """A body, parsed a piece at a time: all at once would hold up other requests.

    A piece ends between two items of a list. Where that is a parser alone could tell; but what is
    valid JSON with a bracket at each end can only have been cut there, so that places are tried.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._pieces: list[list[Any]] = []
        self._document: Any = None

    def cut(self) -> Iterator[None]:
        """Parse it. Raises BadBody."""
        raw, at, rest = self._raw, 0, bytearray()
        if len(raw) > WHOLE_BYTES:
            for found in _LISTS.finditer(raw):
                begin = end = found.end()
                if begin < at:
                    continue
                while (cut := self._cut_piece(end)) > end:
                    rest += raw[at:end] if end == begin else b""
                    rest += b'{"%b":%d},' % (_CUT.encode(), len(self._pieces) - 1)
                    at = end = cut
                    yield None
                yield None
        rest += raw[at:]
        self._document = _parse(bytes(rest))

    def _cut_piece(self, at: int) -> int:
        """Where a piece that begins here ends, and the next item begins; the same where none is."""
        if len(self._raw) - at < PIECE_BYTES:
            return at
        places = _BETWEEN.finditer(self._raw, at + PIECE_BYTES, at + 4 * PIECE_BYTES)
        for place in islice(places, TRIES):
            try:
                piece = orjson.loads(b"[%b]" % self._raw[at : place.start() + 1])
            except orjson.JSONDecodeError:
                continue
            self._pieces.append(piece)
            return place.end()
        return at

    def items(self, items: list[Any]) -> Iterator[list[Any]]:
        """A list, as it was before pieces were cut out of it."""
        if not isinstance(items, list):
            raise TypeError("no list")
        plain = 0
        for item in items:
            number = item.get(_CUT)
            if number is None:
                break
            yield self._pieces[number]
            plain += 1
        yield items[plain:]

    def owned(self, resources: str, scopes: str, things: str) -> Iterator[tuple[Owner, Document]]:
        for resource in self._document.get(resources) or []:
            named = json_attributes((resource.get("resource") or {}).get("attributes") or [])
            for scope in resource.get(scopes) or []:
                about = scope.get("scope") or {}
                owner = Owner(named, (str(about.get("name", "")), str(about.get("version", ""))))
                for thing in (scope.get(things) or []) if things else [scope]:
                    yield owner, thing


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadBody(NOT_JSON.format(error.msg)) from None
