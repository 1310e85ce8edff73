"""Never answering from anything older than what a request names.

The **configuration tag** of events, ``flagConfigEtag``, is ``EPOCH.VERSION`` of the environment:
opaque to clients, sortable for us. It says how new a configuration is, whereas the ``ETag`` of a
bulk answer says what the results are; one never stands for the other. ``flagConfigLastModified``
is when that configuration was published, in whole seconds; it counts only where no tag is given.
"""

import asyncio
import time
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from flags.evaluator.contents import ApiKey
from flags.evaluator.framing import Header, Headers
from flags.evaluator.keys import AccessRefused
from flags.evaluator.memory import CurrentEnvironment, Environment, Position

# Heads are compared every second, after which nothing newer can be missing.
WAIT_S: Final = 1.2
LOOK_EVERY_S: Final = 0.01
MAX_FIELDS: Final = 20
BEHIND: Final = "the evaluator does not have the named configuration yet: try again in a second"


class MinimumVersion(NamedTuple):
    position: Position | None
    published_at: int | None


def write_tag(state: Environment) -> str:
    return f"{state.epoch}.{state.version}"


def read_tag(tag: str) -> Position | None:
    epoch, dot, version = tag.strip('"').rpartition(".")
    if not (dot and version.isascii() and version.isdigit() and len(version) <= 18):
        return None
    return epoch, int(version)


def parse_query(query: bytes) -> dict[str, list[str]]:
    """Empty where it has too many fields."""
    try:
        return parse_qs(query.decode("latin-1"), max_num_fields=MAX_FIELDS) if query else {}
    except ValueError:
        return {}


def read_query(query: bytes) -> MinimumVersion | None:
    """What the query names; None where it names nothing that can be understood."""
    fields = parse_query(query)
    position = read_tag(fields.get("flagConfigEtag", [""])[-1])
    published_at = _read_instant(fields.get("flagConfigLastModified", [""])[-1])
    return MinimumVersion(position, published_at) if position or published_at is not None else None


def _read_instant(text: str) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text[:18])
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


async def catch_up(place: CurrentEnvironment, wanted: MinimumVersion) -> bool:
    """Wait until the place holds what is wanted, or Redis has confirmed that nothing is newer.

    False where neither came true in time. The confirmation is what makes a tag that nobody ever
    gave out harmless, and an instant that another process read off a later publication.
    """
    asked_at = time.monotonic()
    while not _holds(place.state, wanted) and place.compared_from < asked_at:
        if time.monotonic() - asked_at > WAIT_S:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True


def _holds(state: Environment, wanted: MinimumVersion) -> bool:
    if wanted.position is not None:
        return state.position >= wanted.position
    return int(state.head.published_at) >= (wanted.published_at or 0)


def last_modified(state: Environment) -> Header:
    return b"last-modified", _http_date(int(state.head.published_at))


@lru_cache(maxsize=256)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()


# Which web pages may read an answer: those that a client key names. A preflight cannot carry the
# key, so every page is told that it may ask; what it may not is read the answer, nor get one where
# its origin is not among the key's. That it was refused every page may read: one whose key was
# revoked learns of it in no other way. Cookies play no part.


ANY: Final = "*"

VARY: Final = (b"vary", b"Origin")
EXPOSE: Final = (
    b"access-control-expose-headers",
    b"ETag, Last-Modified, Retry-After, X-Aviary-Version, X-Aviary-Stale",
)
# The star covers what tracing adds; Authorization is never meant by it.
ALLOW_HEADERS: Final = (
    b"access-control-allow-headers",
    b"Authorization, X-API-Key, Content-Type, If-None-Match, Last-Event-ID, Cache-Control, *",
)
MAX_AGE: Final = (b"access-control-max-age", b"7200")


def allow(key: ApiKey, origin: bytes | None) -> tuple[Header, ...]:
    """The headers that let a page read the answer; none for server keys, which belong in none.

    Raises AccessRefused where the key names origins and this is not among them.
    """
    if not key.is_client or not key.origins:
        return ()
    if origin is None:
        return (VARY,)
    if ANY not in key.origins and origin.decode("latin-1") not in key.origins:
        raise AccessRefused(
            403, "this client key may not be used from this web page: add its origin to the key"
        )
    return let_anyone_read(origin)


def let_anyone_read(origin: bytes | None) -> tuple[Header, ...]:
    if origin is None:
        return ()
    return ((b"access-control-allow-origin", origin), EXPOSE, VARY)


def answer_preflight(headers: Headers, method: bytes) -> tuple[Header, ...] | None:
    origin = headers.get(b"origin")
    if origin is None or b"access-control-request-method" not in headers:
        return None
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", method),
        ALLOW_HEADERS,
        MAX_AGE,
        VARY,
    )
