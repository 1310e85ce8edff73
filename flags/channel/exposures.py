"""Whom a release sent where: each user's first exposure, by the configuration that was in force.

``aviary:exposed`` (a sorted set of watches, by when the portal last wanted them) says which flags
evaluators look at. Of each release ``aviary:{env:7}:exposed:RELEASE`` (a hash) holds which arms a
user was seen in, under an 8-byte hash that is salted with the release, and ``…:counts`` (a hash)
how many were new, by version of the configuration and arm. None of it is sealed: it can hold a
release, and neither take one back nor let one through.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

EXPOSED: Final = "aviary:exposed"
# A watch that nobody has wanted for so long is over.
WANTED_FOR_S: Final = 120
KEPT_S: Final = 30 * 24 * 3600
MOST_USERS: Final = 1_000_000
"""Of a release; beyond it a sixteenth of users is taken, by their hash, up to a tenth more."""
CANARY, STABLE, BASELINE, BOTH = "c", "s", "b", "both"
ARMS: Final = (CANARY, STABLE, BASELINE)


@dataclass(frozen=True, slots=True)
class Watch:
    """A flag by which a release routes: the arm that each of its variants stands for, and what
    users are told apart by."""

    release: str
    environment_id: int
    flag: str
    arms: Mapping[str, str]
    bucket_by: str

    @property
    def member(self) -> bytes:
        parts = [self.release, self.environment_id, self.flag, dict(self.arms), self.bucket_by]
        return orjson.dumps(parts)

    @classmethod
    def read(cls, member: bytes) -> "Watch":
        """Raises ValueError for what no portal writes."""
        document: Any = orjson.loads(member)
        if not isinstance(document, list) or len(document) != 5:
            raise ValueError("no watch")
        release, environment_id, flag, arms, bucket_by = document
        if type(environment_id) is not int or not isinstance(arms, dict):
            raise ValueError("no watch")
        return cls(str(release), environment_id, str(flag), arms, str(bucket_by))


# KEYS[1] the watches; ARGV for how long one is wanted. Returns those that are.
READ_SCRIPT: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""

# KEYS[1] the watches; ARGV one of them.
WANT_SCRIPT: Final = """
return redis.call('ZADD', KEYS[1], redis.call('TIME')[1], ARGV[1])
"""

# KEYS[1] a release's users, KEYS[2] its counts; ARGV for how long, how many users, then of each
# exposure the user's hash, the label that it counts under, and the arm.
EXPOSE_SCRIPT: Final = """
local most, held = tonumber(ARGV[2]), redis.call('HLEN', KEYS[1])
for at = 3, #ARGV, 3 do
  local user, label, arm = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local seen = redis.call('HGET', KEYS[1], user)
  if not seen then
    if held < most or (string.byte(user) < 16 and held < most * 1.1) then
      held = held + 1
      redis.call('HSET', KEYS[1], user, arm)
      redis.call('HINCRBY', KEYS[2], label .. ':' .. arm, 1)
    end
  elseif not string.find(seen, arm, 1, true) then
    seen = seen .. arm
    redis.call('HSET', KEYS[1], user, seen)
    local is_both = string.find(seen, 'c', 1, true) and string.find(seen, 'b', 1, true)
    if is_both and arm ~= 's' then redis.call('HINCRBY', KEYS[2], label .. ':both', 1) end
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
return held
"""
