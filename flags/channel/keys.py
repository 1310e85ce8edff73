"""Names of the Redis keys.

How many users there are is counted in sketches of Redis' own (HyperLogLog, 0.8 %): one for each
flag and day, server keys and client keys apart, and one for answers of all flags at once. They hold
no keys of users, only what 8-byte hashes leave in them, and prove nothing: anyone who can write to
Redis could change them.
"""

from typing import Final

REGISTRY = "aviary:environments"
REGISTRY_STREAM = "aviary:environments:changes"
DOUBTS = "aviary:doubts"
MENDED = "aviary:mended"

# Entries kept per environment. A follower that was away for longer reloads in full.
STREAM_LENGTH = 1000

DAY_S: Final = 24 * 3600
USERS_KEPT_FOR_S: Final = 2 * DAY_S
ALL_FLAGS: Final = ""


class EnvironmentKeys:
    def __init__(self, environment_id: int) -> None:
        self._prefix = f"aviary:{{env:{environment_id}}}"
        self.head, self.documents = f"{self._prefix}:head", f"{self._prefix}:docs"
        self.stream, self.reports = f"{self._prefix}:stream", f"{self._prefix}:reports"

    def batches(self, selector: str) -> str:
        return f"{self._prefix}:batches:{selector}"

    def users(self, day: int, flag: str, *, by_client: bool) -> str:
        kind = "client" if by_client else "server"
        return f"{self._prefix}:users:{day}:{kind}:{flag}"

    def exposed(self, release: str) -> tuple[str, str]:
        """The users of a release, and their counts: see ``exposures``."""
        return f"{self._prefix}:exposed:{release}", f"{self._prefix}:exposed:{release}:counts"

    @property
    def types(self) -> dict[str, str]:
        names = (self.head, self.documents, self.stream, self.reports)
        return dict(zip(names, ("string", "hash", "stream", "hash"), strict=True))


def day_of(now: float) -> int:
    """The day of an instant in Unix seconds, in UTC."""
    return int(now) // DAY_S
