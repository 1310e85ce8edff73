from typing import Final, NamedTuple

from flags.evaluator import conditional, ofrep, status
from flags.evaluator.body import BadBody
from flags.evaluator.framing import Header, Headers, Scope, Send
from flags.evaluator.keys import AccessRefused
from flags.evaluator.memory import CurrentEnvironment
from flags.evaluator.streams import Reader

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


class Reply(NamedTuple):
    """What goes back; a 304 and a 204 have no body, and a stream has its reader instead."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (JSON,)
    reader: Reader | None = None
    # Refused before a key had a say in who may read it: so any web page may.
    is_anyones: bool = False


def answer(code: int, content: bytes) -> Reply:
    return Reply(code, content, (JSON, *EXTRA_HEADERS.get(code, ())))


def refuse(refused: AccessRefused) -> Reply:
    if refused.status == 429:
        return limited(refused.details, STREAM_WAIT_S)._replace(is_anyones=True)
    return answer(refused.status, ofrep.error(refused.details))._replace(is_anyones=True)


def limited(details: str, wait_s: int) -> Reply:
    return Reply(429, ofrep.error(details), (JSON, (b"retry-after", b"%d" % wait_s)))


def without(scope: Scope, headers: Headers, method: bytes) -> Reply:
    told = conditional.answer_preflight(headers, method) if scope["method"] == "OPTIONS" else None
    return wrong_method(method) if told is None else Reply(204, b"", told)


def wrong_method(allowed: bytes) -> Reply:
    details = f"this address takes {allowed.decode()} only"
    return Reply(405, ofrep.error(details), (JSON, (b"allow", allowed)), is_anyones=True)


def refuse_body(bad: BadBody, key: str | None = None) -> Reply:
    if bad.status == 400:
        return Reply(400, ofrep.failure(bad.code, bad.details, key=key))
    return answer(bad.status, ofrep.error(bad.details))


def freshness(place: CurrentEnvironment) -> tuple[Header, ...]:
    stale_s = status.staleness_s(place)
    if stale_s <= status.STALE_AFTER_S:
        return (place.state.version_header,)
    return (place.state.version_header, (b"x-aviary-stale", b"%d" % stale_s))


async def send_reply(send: Send, reply: Reply) -> None:
    headers = list(reply.headers)
    if reply.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
