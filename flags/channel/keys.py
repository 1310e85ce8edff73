"""Names of the Redis keys, and what evaluators tell of the use of API keys."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flags.channel.intake import IntakeBatch

REGISTRY = "aviary:environments"
REGISTRY_STREAM = "aviary:environments:changes"
DOUBTS = "aviary:doubts"
MENDED = "aviary:mended"

# Entries kept per environment. A follower that was away for longer reloads in full.
STREAM_LENGTH = 1000

KEYS_PER_BATCH = 10_000
_SELECTOR = re.compile(r"[a-z0-9]{16}")


def read_key_use(batch: IntakeBatch) -> Iterator[tuple[str, float]]:
    """When keys were last used, by their selectors, in Unix seconds.

    Raises ValueError or AttributeError for what no evaluator writes.
    """
    for selector, used_at in batch.content.items():
        if not _SELECTOR.fullmatch(selector) or not 0 <= used_at < 10**10:
            raise ValueError("no key")
        yield selector, float(used_at)


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    environment_id: int

    @property
    def head(self) -> str:
        return f"aviary:{{env:{self.environment_id}}}:head"

    @property
    def documents(self) -> str:
        return f"aviary:{{env:{self.environment_id}}}:docs"

    @property
    def stream(self) -> str:
        return f"aviary:{{env:{self.environment_id}}}:stream"

    @property
    def reports(self) -> str:
        return f"aviary:{{env:{self.environment_id}}}:reports"

    def batches(self, selector: str) -> str:
        return f"aviary:{{env:{self.environment_id}}}:batches:{selector}"

    def users(self, day: int, flag: str, *, by_client: bool) -> str:
        kind = "client" if by_client else "server"
        return f"aviary:{{env:{self.environment_id}}}:users:{day}:{kind}:{flag}"

    @property
    def types(self) -> dict[str, str]:
        names = (self.head, self.documents, self.stream, self.reports)
        return dict(zip(names, ("string", "hash", "stream", "hash"), strict=True))
