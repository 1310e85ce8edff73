"""Tickets to an event stream: what a browser shows instead of a key, since it sends no headers.

A ticket is ``SELECTOR.ENVIRONMENT.EXPIRY.SIGNATURE``: it opens one stream, of one environment,
for the key of that selector, and nothing else. Any evaluator process can check it.

All tickets of a key that are given out in one window are the same, and expire at the end of the
next. So a client that is told its stream again keeps the connection it has; and the window is
part of the ETag, lest a client live on 304s until its ticket is no good.
"""

import base64
import hashlib
import hmac
from typing import Final

from flags.evaluator.keys import AccessRefused

WINDOW_S: Final = 1800
PURPOSE: Final = b"aviary event stream ticket 1"
INVALID: Final = "the address of the event stream is not valid, or no longer: evaluate again"


def derive_key(secret: bytes) -> bytes:
    return hmac.digest(secret, PURPOSE, hashlib.sha256)


def window(now: float) -> int:
    return int(now) // WINDOW_S


class Tickets:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, selector: str, environment_id: int, *, now: float) -> str:
        expires_at = (window(now) + 2) * WINDOW_S
        content = f"{selector}.{environment_id}.{expires_at}"
        return f"{content}.{self._sign(content)}"

    def check(self, ticket: str, *, now: float) -> tuple[str, int]:
        """The selector of the key, and the environment.

        Raises AccessRefused for a ticket that is forged, malformed or over.
        """
        content, _dot, signature = ticket.rpartition(".")
        if not hmac.compare_digest(self._sign(content).encode(), signature.encode()):
            raise AccessRefused(401, INVALID)
        selector, environment_id, expires_at = content.split(".")
        if int(expires_at) <= now:
            raise AccessRefused(401, INVALID)
        return selector, int(environment_id)

    def _sign(self, content: str) -> str:
        digest = hmac.digest(self._key, content.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
