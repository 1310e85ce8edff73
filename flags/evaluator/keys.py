"""API keys: ``av_<kind>_<selector>_<secret>``, verified from memory.

Nobody's secret is kept: the portal publishes the SHA-256 of it. The selector finds the key, the
secret proves it; both are random, so a fast hash is enough.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from flags.evaluator.memory import Memory, Place

SELECTOR_CHARS: Final = 16
SECRET_CHARS: Final = 43
KINDS: Final = (b"server", b"client", b"admin")

MISSING: Final = "send an API key, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
INVALID: Final = "the API key is not valid here: check for a typing error, or create a new one"
EXPIRED: Final = "the API key has expired: create a new one in the portal"
ADMIN: Final = "an admin key manages flags and does not evaluate them: use a server or client key"
LOADING: Final = "the evaluator has not loaded its flags yet: try again in a second"


class AccessRefused(Exception):
    """The request may not evaluate; ``status`` is 401, 403 or 503."""

    def __init__(self, status: int, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.details = details


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the portal publishes it; ``expires_at`` in Unix seconds, None for never.

    ``rate`` is in requests per second, None for as many as come; ``burst`` how many may come at
    once, None for one second's worth. ``decides`` says whether what is told with it may decide
    about releases: with a server key, and with a client key that has the right to.
    """

    selector: str
    kind: str
    verifier: bytes
    origins: tuple[str, ...]
    expires_at: float | None
    rate: int | None = None
    burst: int | None = None
    decides: bool = True

    @property
    def is_client(self) -> bool:
        return self.kind == "client"


def read_key(selector: str, document: Mapping[str, object]) -> ApiKey:
    """The key of a published document. Raises ValueError where the document is not one."""
    kind, verifier = document.get("kind"), document.get("verifier")
    origins, expires_at = document.get("origins", []), document.get("expires_at")
    if document.get("selector") != selector:
        raise ValueError("it names another selector")
    if not isinstance(kind, str) or kind.encode() not in KINDS:
        raise ValueError("its kind is unknown")
    if not isinstance(verifier, str) or len(verifier) != 2 * hashlib.sha256().digest_size:
        raise ValueError("its verifier is not a SHA-256 in hexadecimal")
    if not isinstance(origins, list):
        raise ValueError("its origins are not a list")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float | None):
        raise ValueError("its expiry is not a number of seconds")
    return ApiKey(
        selector=selector,
        kind=kind,
        verifier=bytes.fromhex(verifier),
        origins=tuple(map(str, origins)),
        expires_at=expires_at,
        rate=_read_limit(document, "rate"),
        burst=_read_limit(document, "burst"),
        decides=kind == "server" or document.get("decides") is True,
    )


def _read_limit(document: Mapping[str, object], name: str) -> int | None:
    limit = document.get(name)
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise ValueError(f"its {name} is not a whole number above 0")
    return limit


def find_token(authorization: bytes | None, api_key: bytes | None) -> bytes | None:
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return api_key.strip() if api_key is not None else None


def authenticate(memory: "Memory", token: bytes | None, *, now: float) -> "tuple[Place, ApiKey]":
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
        and parts[1] in KINDS
        and len(parts[2]) == SELECTOR_CHARS
        and len(parts[3]) == SECRET_CHARS
    )


def _unknown(memory: "Memory", *, kind: bytes) -> AccessRefused:
    """Why a selector is unknown; admin keys need not be published here, so they always are."""
    if kind == b"admin":
        return AccessRefused(403, ADMIN)
    if not memory.is_complete:
        return AccessRefused(503, LOADING)
    return AccessRefused(401, INVALID)
