"""What an authenticator app shows (RFC 6238), computed independently of the product."""

import base64
import hashlib
import hmac
import time

PERIOD_S = 30


def code(secret: str, *, steps: int = 0) -> str:
    """The six digits of now, or of so many steps later."""
    counter = int(time.time()) // PERIOD_S + steps
    digest = hmac.new(base64.b32decode(secret), counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def next_code(secret: str) -> str:
    """That of the step to come, good already: later than any used, and for a minute to come."""
    return code(secret, steps=1)


def wrong_code(secret: str) -> str:
    """Six digits that are not right now."""
    right = {code(secret, steps=steps) for steps in range(-3, 4)}
    return next(each for each in ("000000", *map(str, range(111111, 999999))) if each not in right)
