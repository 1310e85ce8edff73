"""Names of the Redis keys."""

from dataclasses import dataclass

REGISTRY = "aviary:environments"
REGISTRY_STREAM = "aviary:environments:changes"
KEYS_USED = "aviary:keys:used"
DOUBTS = "aviary:doubts"
MENDED = "aviary:mended"

# Entries kept per environment. A follower that was away for longer reloads in full.
STREAM_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    """The keys of one environment; the braces make a cluster keep them together."""

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

    @property
    def types(self) -> dict[str, str]:
        """What each of them is, by Redis' names of types."""
        names = (self.head, self.documents, self.stream, self.reports)
        return dict(zip(names, ("string", "hash", "stream", "hash"), strict=True))
