"""API keys: ``av_<kind>_<selector>_<secret>``, verified from memory.

Nobody's secret is kept: the portal publishes the SHA-256 of it. The selector finds the key, the
secret proves it; both are random, so a fast hash is enough.
"""

import hashlib
import hmac
import math
from typing import Final

from flags.evaluator.contents import KEY_KINDS, ApiKey
from flags.evaluator.framing import RequestRefused
from flags.evaluator.memory import CurrentEnvironment, Memory

SELECTOR_CHARS: Final = 16
SECRET_CHARS: Final = 43

MISSING: Final = "send an API key, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
INVALID: Final = "the API key is not valid here: check for a typing error, or create a new one"
EXPIRED: Final = "the API key has expired: create a new one in the portal"
ADMIN: Final = "an admin key manages flags and does not evaluate them: use a server or client key"
TOO_MANY: Final = "this API key sends more than its %g requests per second: try again in %d s"
LOADING: Final = "the evaluator has not loaded its flags yet: try again in a second"


class AccessRefused(RequestRefused):
    """The request may not evaluate; ``status`` is 401, 403, 429 or 503."""


def find_token(authorization: bytes | None, api_key: bytes | None) -> bytes | None:
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return api_key.strip() if api_key is not None else None


def authenticate(
    memory: Memory, token: bytes | None, *, now: float
) -> tuple[CurrentEnvironment, ApiKey]:
    """The place and key that a token opens. Raises AccessRefused."""
    if not token:
        raise AccessRefused(401, MISSING)
    parts = token.split(b"_", 3)
    if not _is_well_formed(parts):
        raise AccessRefused(401, INVALID)
    found = memory.selectors.get(parts[2])
    if found is None:
        raise _unknown(memory, kind=parts[1])
    key = found[1]
    digest = hashlib.sha256(parts[3]).digest()
    if not hmac.compare_digest(digest, key.verifier) or parts[1] != key.kind.encode():
        raise AccessRefused(401, INVALID)
    if key.kind == "admin":
        raise AccessRefused(403, ADMIN)
    if key.expires_at is not None and key.expires_at <= now:
        raise AccessRefused(401, EXPIRED)
    return found


def _is_well_formed(parts: list[bytes]) -> bool:
    return (
        len(parts) == 4
        and parts[0] == b"av"
        and parts[1] in KEY_KINDS
        and len(parts[2]) == SELECTOR_CHARS
        and len(parts[3]) == SECRET_CHARS
    )


def _unknown(memory: Memory, *, kind: bytes) -> AccessRefused:
    """Why a selector is unknown; admin keys need not be published here, so they always are."""
    if kind == b"admin":
        return AccessRefused(403, ADMIN)
    if not memory.is_complete:
        return AccessRefused(503, LOADING)
    return AccessRefused(401, INVALID)


class RateLimits:
    """A token bucket for each key with a limit, in this process's memory.

    Every evaluator process counts for itself, so N processes let through N times as much.
    """

    def __init__(self) -> None:
        # Selector -> tokens left, and the instant they were counted at.
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: ApiKey, *, now: float) -> int:
        """Take a token; else the whole seconds, one at least, until there will be one.

        ``now`` is monotonic. A bucket starts full; refused requests take nothing.
        """
        if key.rate is None:
            return 0
        most = float(key.burst or max(key.rate, 1))
        left, counted_at = self._buckets.get(key.selector, (most, now))
        left = min(most, left + (now - counted_at) * key.rate)
        if left < 1:
            self._buckets[key.selector] = left, now
            return max(1, math.ceil((1 - left) / key.rate))
        self._buckets[key.selector] = left - 1, now
        return 0


def describe_limit(key: ApiKey, wait_s: int) -> str:
    return TOO_MANY % (key.rate or 0, wait_s)
