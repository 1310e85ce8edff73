"""Reading and checking the body of an evaluation: one object with a context, nothing surprising."""

import asyncio
import json
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, Final

import orjson

from flags.evaluator.wire import Receive

MAX_BODY_BYTES: Final = 1024 * 1024
# A body that trickles in keeps nothing but its own connection waiting, and not for ever.
READ_TIMEOUT_S: Final = 10.0

_CONTAINERS: Final = (dict, list)

PARSE_ERROR: Final = "PARSE_ERROR"
INVALID_CONTEXT: Final = "INVALID_CONTEXT"

TOO_LARGE: Final = f"the body is larger than {MAX_BODY_BYTES} bytes"
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


def check_headers(content_type: bytes | None, content_length: bytes | None) -> None:
    """Refuse by the headers alone, before anything is read. Raises BadBody."""
    if content_length is not None:
        if not content_length.isdigit():
            raise BadBody("the Content-Length is not a number")
        # By digits first: int() itself would be slow for a number of many thousand.
        if len(content_length.lstrip(b"0")) > 9 or int(content_length) > MAX_BODY_BYTES:
            raise BadBody(TOO_LARGE, status=413)
    if content_type is not None and content_type != b"application/json":
        _check_charset(content_type)


def _check_charset(content_type: bytes) -> None:
    """Any media type will do: curl and urllib say "form" unless told, and mean the JSON they send.

    What is no JSON fails to parse anyway; another character set could parse as something else.
    """
    for parameter in content_type.lower().split(b";")[1:]:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in (b"utf-8", b"utf8"):
            raise BadBody(NOT_UTF8)


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises BadBody when it is too large or too slow, Disconnected."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        _check_size(body)
        return body
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            return await _read_on(receive, message)
    except TimeoutError:
        raise BadBody("the body did not arrive in time", status=408) from None


async def _read_on(receive: Receive, message: MutableMapping[str, Any]) -> bytes:
    body = bytearray()
    while True:
        if message["type"] != "http.request":
            raise Disconnected
        body += message.get("body", b"")
        _check_size(body)
        if not message.get("more_body", False):
            return bytes(body)
        message = await receive()


def _check_size(body: bytes | bytearray) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise BadBody(TOO_LARGE, status=413)


def read_context(body: bytes) -> dict[str, object]:
    """The evaluation context of a body. Raises BadBody.

    Members beside the context are ignored, as OFREP may grow some.
    """
    document = _parse(body)
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


def _parse(body: bytes) -> object:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The message of the parser names a place, never what stands there.
        raise BadBody(f"the body is not valid JSON: {error.msg}") from None
    # Each member has one colon and strings may hold more; so when there are as many colons as
    # members were kept, none was dropped as a duplicate.
    if body.count(b":") != sum(map(len, _objects_in(document))):
        _refuse_duplicates(body)
    if b"u0000" in body and any("\0" in text for text in _texts_in(document)):
        raise BadBody("the body holds a NUL character")
    return document


def _objects_in(document: object) -> Iterator[dict[str, object]]:
    """Every object, at any depth; without recursion, since the depth is the sender's choice."""
    pending = [document]
    while pending:
        value = pending.pop()
        inner: Iterable[object] = ()
        if isinstance(value, dict):
            yield value
            inner = value.values()
        elif isinstance(value, list):
            inner = value
        pending.extend([one for one in inner if type(one) in _CONTAINERS])


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


def _refuse_duplicates(body: bytes) -> None:
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
