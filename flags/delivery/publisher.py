import logging
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Final, cast

from redis import Redis
from redis.client import Pipeline

from flags import channel
from flags.channel.documents import HEAD_FIELD, Change, Head, StreamEntry
from flags.delivery import build
from flags.models import ContextSampling
from portal.access import services
from portal.access.models import Environment
from portal.audit.models import ChainHead
from portal.lib import clock, journal
from portal.lib.journal import Intent

logger = logging.getLogger(__name__)

# A larger change is announced without its documents: followers then read them from the hash,
# and a thousand entries of the stream stay small.
STREAM_ENTRY_BYTES = 64 * 1024
_ATTEMPTS = 5
RELAY: Final = journal.system("relay")
_SCRIPT = (Path(channel.__file__).parent / "publish.lua").read_text()


class PublishOutcome(Enum):
    CURRENT = "current"
    PUBLISHED = "published"
    CONTENDED = "contended"


class Publisher:
    def __init__(self, redis: Redis, sealer: channel.Sealer) -> None:
        self._redis = redis
        self._sealer = sealer
        self._script = redis.register_script(_SCRIPT)
        self._opened: dict[int, build.HeldHead] = {}

    def find_behind(self) -> list[int]:
        """The environments that Redis may be behind on, in one question to it for all.

        Raises redis.RedisError when Redis does not answer.
        """
        environments = list(Environment.objects.all())
        pipeline = self._redis.pipeline(transaction=False)
        for environment in environments:
            _ask_held(pipeline, environment.pk)
        answers = iter(pipeline.execute(raise_on_error=False))
        return [
            environment.pk
            for environment, *held in zip(environments, answers, answers, answers, strict=True)
            if not self._is_published(environment, *held)
        ]

    def _is_published(
        self, environment: Environment, raw: object, documents: object, registered: object
    ) -> bool:
        known = self._opened.get(environment.pk)
        if known is None or (known.raw, known.documents) != (raw, documents):
            if not isinstance(raw, bytes) or not isinstance(documents, int):
                return False
            try:
                known = build.HeldHead.read(raw, documents, self._sealer, environment.pk)
            except channel.ForgedEnvelope:
                return False
            self._opened[environment.pk] = known
        return registered == 1 and known.is_current(environment)

    def publish(self, environment_id: int, *, anew: bool = False) -> PublishOutcome:
        """Bring Redis up to the database's version of an environment; ``anew`` sends everything.

        Raises redis.RedisError when Redis does not answer; the next sweep tries again.
        """
        for _attempt in range(_ATTEMPTS):
            # The head is read before the database: what Redis holds was committed earlier.
            held = self.read_held(environment_id)
            outcome = self._publish_over(held, environment_id, anew=anew)
            if outcome is not None:
                return outcome
        return PublishOutcome.CONTENDED

    def _publish_over(
        self, held: build.HeldHead, environment_id: int, *, anew: bool
    ) -> PublishOutcome | None:
        environment = self.check_history(held, environment_id)
        if held.is_current(environment) and not anew:
            if not held.registered:
                self._register(environment)
            return PublishOutcome.CURRENT
        is_base = held.complete and not anew and held.is_of(environment)
        snapshot = build.read_snapshot(environment_id, since=held.version if is_base else None)
        if snapshot.environment.epoch != environment.epoch:
            return None  # renewed meanwhile: what is held is no base any more
        return PublishOutcome.PUBLISHED if self._send(held, snapshot) else None

    def check_history(self, held: build.HeldHead, environment_id: int) -> Environment:
        """The environment, in a new epoch where the database was set back from what is held."""
        environment = Environment.objects.get(pk=environment_id)
        if held.is_of(environment) is False:
            reason = f"evaluators had seen version {held.version}: the database was set back"
            environment = services.renew_epoch(
                environment_id=environment_id,
                seen_epoch=held.epoch,
                intent=Intent(RELAY, reason),
            )
        return environment

    def read_held(self, environment_id: int) -> build.HeldHead:
        pipeline = self._redis.pipeline(transaction=True)
        _ask_held(pipeline, environment_id)
        raw, documents, registered = pipeline.execute()
        held = self._open(environment_id, raw, documents)
        held.registered = bool(registered)
        return held

    def read_all(self, environment_id: int) -> tuple[build.HeldHead, dict[bytes, bytes]]:
        keys = channel.EnvironmentKeys(environment_id)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.get(keys.head)
        pipeline.hgetall(keys.documents)
        raw, documents = pipeline.execute()
        return self._open(environment_id, raw, len(documents)), documents

    def _open(self, environment_id: int, raw: bytes | None, documents: int) -> build.HeldHead:
        try:
            return build.HeldHead.read(raw, documents, self._sealer, environment_id)
        except channel.ForgedEnvelope as error:
            logger.error("environment %s: %s; publishing everything anew", environment_id, error)
            return build.HeldHead(raw=raw)

    def weigh(self, snapshot: build.Snapshot) -> int:
        return (
            self._weigh_all(snapshot.environment.pk, self._seal_all(snapshot))
            % channel.DIGEST_MODULUS
        )

    def _send(self, held: build.HeldHead, snapshot: build.Snapshot) -> bool:
        changes = self._seal_all(snapshot)
        total = self._total_after(held, snapshot, changes)
        if total is None:
            snapshot = build.read_snapshot(snapshot.environment.pk, since=None)
            changes = self._seal_all(snapshot)
            total = self._weigh_all(snapshot.environment.pk, changes)
        environment = snapshot.environment
        keys = channel.EnvironmentKeys(environment.pk)
        head = self._seal_head(environment, snapshot.total, total)
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

    def _total_after(
        self, held: build.HeldHead, snapshot: build.Snapshot, changes: list[Change]
    ) -> int | None:
        """What all documents weigh after these changes, at the cost of the changes.

        What goes is weighed as Redis holds it. That need not be what was weighed when it came: who
        exchanged it meanwhile makes a sum that no documents can have, which everyone refuses. None
        where that shows already.
        """
        environment_id = snapshot.environment.pk
        after = self._weigh_all(environment_id, changes)
        if snapshot.since is None or held.total is None:
            return after
        before = self._read_replaced(environment_id, changes)
        if before is None:
            return None
        added = sum(not one.removed for one in changes) - len(before)
        if held.documents + added != snapshot.total:
            return None
        return held.total + after - self._weigh_all(environment_id, before)

    def _read_replaced(self, environment_id: int, changes: list[Change]) -> list[Change] | None:
        fields = [one.field for one in changes]
        if not fields:
            return []
        name = channel.EnvironmentKeys(environment_id).documents
        stored = cast(list[bytes | None], self._redis.hmget(name, fields))
        found = [
            Change(f, raw, removed=False) for f, raw in zip(fields, stored, strict=True) if raw
        ]
        return found if all(self._holds(environment_id, one) for one in found) else None

    def _holds(self, environment_id: int, change: Change) -> bool:
        try:
            self._sealer.open(change.sealed, environment_id=environment_id, field=change.field)
        except ValueError:
            return False
        return True

    def _weigh_all(self, environment_id: int, changes: Iterable[Change]) -> int:
        weigh = self._sealer.weigh
        return sum(weigh(c.sealed, environment_id=environment_id, field=c.field) for c in changes)

    def _seal_all(self, snapshot: build.Snapshot) -> list[Change]:
        return [self._seal(snapshot.environment, f, d) for f, d in snapshot.documents.items()]

    def _seal(
        self, environment: Environment, field: str, document: dict[str, object] | None
    ) -> Change:
        envelope = channel.Envelope(environment.epoch, environment.version, document)
        sealed = self._sealer.seal(envelope, environment_id=environment.pk, field=field)
        return Change(field, sealed, removed=document is None)

    def _seal_head(self, environment: Environment, documents: int, total: int) -> bytes:
        trail = ChainHead.objects.filter(pk=1).first() or ChainHead()
        head = Head(
            project=environment.project.key,
            environment=environment.key,
            kind=environment.kind,
            documents=documents,
            published_at=clock.now().timestamp(),
            sampling=ContextSampling.objects.filter(project=environment.project).exists(),
            digest=self._sealer.hide_sum(total, environment_id=environment.pk),
            nonce=environment.nonce,
            audit_row=trail.sequence,
            audit_hash=trail.hash,
        )
        envelope = channel.Envelope(environment.epoch, environment.version, head.to_document())
        return self._sealer.seal(envelope, environment_id=environment.pk, field=HEAD_FIELD)


def _ask_held(pipeline: Pipeline, environment_id: int) -> None:
    keys = channel.EnvironmentKeys(environment_id)
    pipeline.get(keys.head)
    pipeline.hlen(keys.documents)
    pipeline.hexists(channel.REGISTRY, str(environment_id))


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
