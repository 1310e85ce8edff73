"""Carrying an environment's documents to Redis, in one step that happens whole or not at all."""

import logging
from enum import Enum
from pathlib import Path

from redis import Redis

from flags import channel
from flags.channel.documents import HEAD_FIELD, Change, Head, StreamEntry
from flags.models import ContextSampling
from flags.snapshots import build
from portal.access import services
from portal.access.models import Environment
from portal.lib import clock

logger = logging.getLogger(__name__)

# A larger change is announced without its documents: followers then read them from the hash,
# and a thousand entries of the stream stay small.
STREAM_ENTRY_BYTES = 64 * 1024
_ATTEMPTS = 5
_SCRIPT = (Path(channel.__file__).parent / "publish.lua").read_text()


class Outcome(Enum):
    """What publishing came to."""

    CURRENT = "current"
    PUBLISHED = "published"
    CONTENDED = "contended"


class Publisher:
    """Publishes environments to one Redis. Any number of them may work at the same time."""

    def __init__(self, redis: Redis, sealer: channel.Sealer) -> None:
        self._redis = redis
        self._sealer = sealer
        self._script = redis.register_script(_SCRIPT)

    def publish(self, environment_id: int) -> Outcome:
        """Bring Redis up to the database's version of an environment.

        Raises redis.RedisError when Redis does not answer; the next sweep tries again.
        """
        for _attempt in range(_ATTEMPTS):
            # The head is read before the database: what Redis holds was committed earlier.
            held = self._held(environment_id)
            outcome = self._publish_over(held, environment_id)
            if outcome is not None:
                return outcome
        return Outcome.CONTENDED

    def _publish_over(self, held: "HeldHead", environment_id: int) -> Outcome | None:
        """Publish over what Redis was seen to hold; None when another publisher was faster."""
        environment = Environment.objects.get(pk=environment_id)
        if held.is_ahead_of(environment):
            environment = services.renew_epoch(
                environment_id=environment_id, seen_epoch=held.epoch, seen_version=held.version
            )
        if held.is_current(environment):
            if not held.registered:
                self._register(environment)
            return Outcome.CURRENT
        since = held.version if held.epoch == environment.epoch and held.complete else None
        snapshot = build.read_snapshot(environment_id, since=since)
        return Outcome.PUBLISHED if self._send(held, snapshot) else None

    def _held(self, environment_id: int) -> "HeldHead":
        keys = channel.EnvironmentKeys(environment_id)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.get(keys.head)
        pipeline.hlen(keys.documents)
        pipeline.hexists(channel.REGISTRY, str(environment_id))
        raw, documents, registered = pipeline.execute()
        try:
            held = HeldHead.read(raw, documents, self._sealer, environment_id)
            held.registered = bool(registered)
            return held
        except channel.ForgedEnvelope as error:
            logger.error("environment %s: %s; publishing everything anew", environment_id, error)
            return HeldHead(raw=raw)

    def _send(self, held: "HeldHead", snapshot: build.Snapshot) -> bool:
        environment = snapshot.environment
        keys = channel.EnvironmentKeys(environment.pk)
        changes = [self._seal(environment, f, d) for f, d in snapshot.documents.items()]
        head = self._seal_head(environment, snapshot.total)
        entry = _stream_entry(snapshot, changes, head).to_fields()
        arguments: list[bytes | str | int] = [
            held.raw or b"",
            head,
            "full" if snapshot.since is None else "delta",
            channel.STREAM_LENGTH,
            len(entry),
        ]
        for name, value in entry.items():
            arguments += [name, value]
        for change in changes:
            arguments += [change.field, b"" if change.removed else change.sealed]
        answer = self._script(keys=[keys.head, keys.documents, keys.stream], args=arguments)
        if answer != b"published":
            return False
        self._register(environment)
        return True

    def _register(self, environment: Environment) -> None:
        if self._redis.hset(channel.REGISTRY, str(environment.pk), str(environment)):
            name = channel.REGISTRY_STREAM
            self._redis.xadd(name, {"environment": environment.pk}, maxlen=1000, approximate=True)

    def _seal(
        self, environment: Environment, field: str, document: dict[str, object] | None
    ) -> Change:
        envelope = channel.Envelope(environment.epoch, environment.version, document)
        sealed = self._sealer.seal(envelope, environment_id=environment.pk, field=field)
        return Change(field, sealed, removed=document is None)

    def _seal_head(self, environment: Environment, documents: int) -> bytes:
        head = Head(
            project=environment.project.key,
            environment=environment.key,
            kind=environment.kind,
            documents=documents,
            published_at=clock.now().timestamp(),
            sampling=ContextSampling.objects.filter(project=environment.project).exists(),
        )
        envelope = channel.Envelope(environment.epoch, environment.version, head.to_document())
        return self._sealer.seal(envelope, environment_id=environment.pk, field=HEAD_FIELD)


class HeldHead:
    """What Redis holds of an environment: its raw head, and what a genuine head says."""

    def __init__(
        self, raw: bytes | None, *, epoch: str = "", version: int = -1, complete: bool = False
    ) -> None:
        self.raw = raw
        self.epoch = epoch
        self.version = version
        # Whether the documents are all there.
        self.complete = complete
        # Whether the environment is listed for the evaluators; the listing follows the publication.
        self.registered = False

    @classmethod
    def read(
        cls,
        raw: bytes | None,
        documents: int,
        sealer: channel.Sealer,
        environment_id: int,
    ) -> "HeldHead":
        """Open the head. Raises ForgedEnvelope when somebody else wrote it."""
        if raw is None:
            return cls(raw=None)
        envelope = sealer.open(raw, environment_id=environment_id, field=HEAD_FIELD)
        complete = (envelope.document or {}).get("documents") == documents
        return cls(raw, epoch=envelope.epoch, version=envelope.version, complete=complete)

    def is_current(self, environment: Environment) -> bool:
        position = (environment.epoch, environment.version)
        return self.complete and (self.epoch, self.version) == position

    def is_ahead_of(self, environment: Environment) -> bool:
        """Whether Redis knows a state the database does not: the database was restored."""
        return (self.epoch, self.version) > (environment.epoch, environment.version)


def _stream_entry(snapshot: build.Snapshot, changes: list[Change], head: bytes) -> StreamEntry:
    environment = snapshot.environment
    small = sum(len(change.sealed) for change in changes) <= STREAM_ENTRY_BYTES
    travels = snapshot.since is not None and small
    return StreamEntry(
        epoch=environment.epoch,
        base=snapshot.since if snapshot.since is not None else 0,
        version=environment.version,
        head=head,
        changes=tuple((c.field, c.sealed) for c in changes) if travels else None,
    )
