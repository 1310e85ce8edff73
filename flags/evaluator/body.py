import asyncio
import json
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Final

import orjson

from flags.evaluator.framing import Headers, Receive, RequestLimits

_CONTAINERS: Final = (dict, list)
_ESCAPED_COLON: Final = rb"\u003a"

PARSE_ERROR: Final = "PARSE_ERROR"
INVALID_CONTEXT: Final = "INVALID_CONTEXT"

NOT_UTF8: Final = "send the body as JSON in UTF-8: 'Content-Type: application/json' is enough"


class BadBody(Exception):
    """The request is refused; ``code`` is OFREP's error code where the status is 400."""

    def __init__(self, details: str, *, status: int = 400, code: str = PARSE_ERROR) -> None:
        super().__init__(details)
        self.status = status
        self.code = code
        self.details = details


class Disconnected(Exception):
    """The client went away before its body was complete."""


def check_headers(headers: Headers, limits: RequestLimits, *, gzip: bool = False) -> None:
    """Refuse by the headers alone, before anything is read. Raises BadBody."""
    content_length = headers.get(b"content-length")
    if content_length is not None:
        content_length = content_length.strip(b" \t")
        if not content_length.isdigit():
            raise BadBody("the Content-Length is not a number")
        # By digits first: int() itself would be slow for a number of many thousand.
        if len(content_length.lstrip(b"0")) > 9 or int(content_length) > limits.body_bytes:
            raise _too_large(limits)
    encoding = headers.get(b"content-encoding")
    if encoding is not None:
        _check_encoding(encoding.strip().lower(), gzip=gzip)
    content_type = headers.get(b"content-type")
    if content_type is not None and content_type != b"application/json":
        _check_charset(content_type)


def _check_encoding(encoding: bytes, *, gzip: bool) -> None:
    if encoding in (b"", b"identity") or (gzip and encoding == b"gzip"):
        return
    known = "with Content-Encoding: gzip" if gzip else "there is no Content-Encoding here"
    raise BadBody(f"send the body as it is{' or ' if gzip else ': '}{known}", status=415)


def _check_charset(content_type: bytes) -> None:
    """Any media type will do: curl and urllib say "form" unless told, and mean the JSON they send.

    What is no JSON fails to parse anyway; another character set could parse as something else.
    """
    for parameter in content_type.lower().split(b";")[1:]:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            raise BadBody(NOT_UTF8)


async def receive_body(
    headers: Headers, receive: Receive, limits: RequestLimits, *, gzip: bool = False
) -> bytes:
    check_headers(headers, limits, gzip=gzip)
    return await read_body(receive, limits)


async def read_body(receive: Receive, limits: RequestLimits) -> bytes:
    """The whole body. Raises BadBody when it is too large or too slow, Disconnected."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
        return body
    try:
        async with asyncio.timeout(limits.body_s):
            return await _read_on(receive, message, limits)
    except TimeoutError:
        raise BadBody("the body did not arrive in time", status=408) from None


async def _read_on(
    receive: Receive, message: MutableMapping[str, Any], limits: RequestLimits
) -> bytes:
    body = bytearray()
    while True:
        if message["type"] != "http.request":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > limits.body_bytes:
            raise _too_large(limits)
        if not message.get("more_body", False):
            return bytes(body)
        message = await receive()


def _too_large(limits: RequestLimits) -> BadBody:
    return BadBody(f"the body is larger than {limits.body_bytes} bytes", status=413)


def read_context(body: bytes, limits: RequestLimits) -> dict[str, object]:
    """The evaluation context of a body. Raises BadBody.

    Members beside the context are ignored, as OFREP may grow some.
    """
    document = parse(body, limits)
    if not isinstance(document, dict):
        raise BadBody("the body must be a JSON object", code=INVALID_CONTEXT)
    context = document.get("context")
    if not isinstance(context, dict):
        missing = "has no context" if "context" not in document else "has a context of another type"
        details = f'the body {missing}: send {{"context": {{…}}}}'
        raise BadBody(details, code=INVALID_CONTEXT)
    if not isinstance(context.get("targetingKey", ""), str):
        raise BadBody("the targetingKey must be a string", code=INVALID_CONTEXT)
    return context


def parse(body: bytes, limits: RequestLimits) -> object:
    """The JSON of a body, which says everything once. Raises BadBody."""
    _refuse_crowds(body, limits)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The message of the parser names a place, never what stands there.
        raise BadBody(f"the body is not valid JSON: {error.msg}") from None
    members = _count_members(document, limits)
    # Each member has one colon, and texts may hold more. Where as many colons came as members and
    # texts account for, none was dropped as a duplicate.
    if body.count(b":") != members and not _is_unspaced(body, members):
        _refuse_duplicates(body, document, members)
    # First for the backslash alone, which is found, or not, ten times as fast.
    if b"\\" in body and b"u0000" in body and any("\0" in text for text in _texts_in(document)):
        raise BadBody("the body holds a NUL character")
    return document


def _refuse_crowds(body: bytes, limits: RequestLimits) -> None:
    """Refuse far too many values before they are made: that alone would hold up everybody.

    Values are parted by commas, but texts have commas too. A value and its name have four
    quotation marks at most, apart from those within texts.
    """
    most = limits.json_values
    if body.count(b",") < most:
        return
    # Without escapes, every second part between quotation marks is a text.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    if plain.count(b'"') > 4 * (most + 1):
        raise _too_many(limits)
    if sum(part.count(b",") for part in plain.split(b'"')[::2]) >= most:
        raise _too_many(limits)


def _count_members(document: object, limits: RequestLimits) -> int:
    members, values = 0, 0
    level = [document]
    for _depth in range(limits.json_depth):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                members += len(value)
                items: Iterable[object] = value.values()
            elif isinstance(value, list):
                items = value
            else:
                continue
            values += len(value)
            if values > limits.json_values:
                raise _too_many(limits)
            below += [one for one in items if type(one) in _CONTAINERS]
        if not below:
            return members
        level = below
    raise BadBody(f"nest lists and objects at most {limits.json_depth} deep")


def _too_many(limits: RequestLimits) -> BadBody:
    return BadBody(f"the body holds more than {limits.json_values} values")


def _texts_in(document: object) -> Iterator[str]:
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, str):
            yield value


def _is_unspaced(body: bytes, members: int) -> bool:
    """Whether each colon of a member follows its name at once, and there are no more such colons.

    Dates have colons, and telemetry has many dates: looking at every text would take longer than
    all the rest.
    """
    spaced = any(space in body for space in (b" :", b"\t:", b"\n:", b"\r:"))
    return not spaced and body.count(b'":') == members


def _refuse_duplicates(body: bytes, document: object, members: int) -> None:
    written = body.count(b":") + body.lower().count(_ESCAPED_COLON)
    if written == members + sum(text.count(":") for text in _texts_in(document)):
        return
    try:
        json.loads(body, object_pairs_hook=_unique)
    except RecursionError:
        raise BadBody("the body is nested too deeply") from None


def _unique(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise BadBody(f"the body has a duplicate member {key[:100]!r}")
        seen.add(key)
