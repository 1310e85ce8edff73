"""Looking at what the relay put into Redis, with the eyes of an evaluator."""

from dataclasses import dataclass
from typing import Any, cast

import redis
from django.conf import settings

from flags.channel import REGISTRY, Envelope, EnvironmentKeys, Sealer, StreamEntry
from flags.delivery import build

Documents = dict[str, dict[str, Any] | None]


@dataclass(frozen=True)
class Shelf:
    """One environment's place in Redis. Whatever is read has a seal that holds."""

    store: redis.Redis
    environment_id: int

    @property
    def keys(self) -> EnvironmentKeys:
        return EnvironmentKeys(self.environment_id)

    def head(self) -> Envelope:
        raw = self.store.get(self.keys.head)
        assert isinstance(raw, bytes), "nothing was published"
        return self.open(raw, "head")

    def documents(self) -> Documents:
        """All documents of the hash, by field."""
        stored = cast(dict[bytes, bytes], self.store.hgetall(self.keys.documents))
        return {f.decode(): self.open(raw, f.decode()).document for f, raw in stored.items()}

    def entries(self) -> list[StreamEntry]:
        """The entries of the change stream, oldest first."""
        stored: Any = self.store.xrange(self.keys.stream)
        return [StreamEntry.from_fields(fields) for _id, fields in stored]

    def changes(self, entry: StreamEntry) -> Documents:
        assert entry.changes is not None, "the entry carries no documents"
        return {field: self.open(raw, field).document for field, raw in entry.changes}

    def is_registered(self) -> bool:
        return bool(self.store.hexists(REGISTRY, str(self.environment_id)))

    def open(self, raw: bytes, field: str) -> Envelope:
        sealer = Sealer(settings.SNAPSHOT_KEY)
        return sealer.open(raw, environment_id=self.environment_id, field=field)

    def assert_current(self) -> None:
        """Redis holds just what the database does, at its version."""
        wanted = build.read_snapshot(self.environment_id, since=None)
        head = self.head()
        environment = wanted.environment
        assert (head.epoch, head.version) == (environment.epoch, environment.version)
        assert self.documents() == wanted.documents
        assert head.document
        assert head.document["documents"] == len(wanted.documents) == wanted.total
        assert self.is_registered()
