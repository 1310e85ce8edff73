"""Which web pages may read an answer: those that a client key names.

A preflight cannot carry the key, so every page is told that it may ask; what it may not is read
the answer, nor get one where its origin is not among the key's. That it was refused every page may
read: one whose key was revoked learns of it in no other way. Cookies play no part.
"""

from typing import Final

from flags.evaluator.keys import AccessRefused, ApiKey
from flags.evaluator.wire import Header, Headers

ANY: Final = "*"
FOREIGN: Final = "this client key may not be used from this web page: add its origin to the key"

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
        raise AccessRefused(403, FOREIGN)
    return let_anyone_read(origin)


def let_anyone_read(origin: bytes | None) -> tuple[Header, ...]:
    """The headers of a refusal that no key had a say in."""
    if origin is None:
        return ()
    return ((b"access-control-allow-origin", origin), EXPOSE, VARY)


def answer_preflight(headers: Headers, method: bytes) -> tuple[Header, ...] | None:
    """What a browser wants to know before it asks; None where it is no browser asking."""
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
