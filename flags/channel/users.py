"""How many users there are: evaluators add whom they answered to sketches in Redis.

One of Redis' own (HyperLogLog, 0.8 %) for each flag and day, server keys and client keys apart, and
one for answers of all flags at once. They hold no keys of users, only what 8-byte hashes leave in
them, and are nobody's proof: who writes to Redis could change them.
"""

from typing import Final

DAY_S: Final = 24 * 3600
KEPT_FOR_S: Final = 2 * DAY_S
ALL_FLAGS: Final = ""


def day_of(now: float) -> int:
    """The day of an instant in Unix seconds, in UTC."""
    return int(now) // DAY_S
