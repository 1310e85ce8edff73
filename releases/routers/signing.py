"""How our calls to routers and deployers are signed."""

import hashlib
import hmac


def signature(secret: str, body: bytes, at: int) -> str:
    """The header of a call: when, and HMAC-SHA256 over that and the body."""
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"
