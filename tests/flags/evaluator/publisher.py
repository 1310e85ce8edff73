"""A small portal: seals documents and publishes them the way the relay does."""

import base64
import hashlib
import itertools
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import redis

from flags import channel
from flags.channel import Envelope, EnvironmentKeys, Head, Sealer, StreamEntry
from tests.flags.evaluator.servers import SNAPSHOT_KEY

SCRIPT = Path(channel.__file__).with_name("publish.lua").read_text()
SEALER = Sealer(SNAPSHOT_KEY.encode())
EPOCH = "2026-01-01T00:00:00Z".replace(":", "")

Document = Mapping[str, object]
Documents = Mapping[str, Document | None]

_ids = itertools.count(1)


def flag(key: str, value: Any = True, **changes: Any) -> dict[str, object]:
    """An environment document that serves ``value`` to everyone."""
    kinds = {bool: "boolean", str: "string", int: "integer", float: "number", dict: "object"}
    return {
        "key": key,
        "value_type": kinds[type(value)],
        "client_visible": False,
        "variants": [{"key": "on", "value": value}, {"key": "off", "value": type(value)()}],
        "version": 1,
        "enabled": True,
        "off_variant": "off",
        "targets": [],
        "rules": [],
        "fallthrough": {"variant": "on"},
        "salt": "s",
        **changes,
    }


def for_country(country: str) -> list[dict[str, object]]:
    """Rules that serve "off" to one country."""
    when = {"attribute": "country", "operator": "in", "values": [country]}
    return [{"id": "r-1", "when": when, "serve": {"variant": "off"}}]


@dataclass(frozen=True)
class Key:
    """An API key: what its owner holds, and what is published about it."""

    selector: str
    token: str
    document: Document

    @property
    def field(self) -> str:
        return f"key/{self.selector}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def new_key(kind: str = "server", *, expires_at: float | None = None, **published: object) -> Key:
    """A key of random characters; more about it is published as named."""
    alphabet = string.ascii_lowercase + string.digits
    selector = "".join(secrets.choice(alphabet) for _ in range(16))
    # A secret with both characters that a careless parser would split at.
    secret = "_-" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()[:41]
    document: dict[str, object] = {
        "selector": selector,
        "kind": kind,
        "verifier": hashlib.sha256(secret.encode()).hexdigest(),
        "origins": [],
        "expires_at": expires_at,
        **published,
    }
    return Key(selector, f"av_{kind}_{selector}_{secret}", document)


@dataclass
class Publisher:
    """One environment of the portal, which outlives whatever happens to Redis."""

    client: redis.Redis
    environment_id: int = field(default_factory=lambda: next(_ids))
    project: str = "shop"
    epoch: str = EPOCH
    version: int = 0
    documents: dict[str, Document] = field(default_factory=dict)

    @property
    def environment(self) -> str:
        return f"environment-{self.environment_id}"

    @property
    def keys(self) -> EnvironmentKeys:
        return EnvironmentKeys(self.environment_id)

    def held_head(self) -> bytes:
        """The sealed head that Redis holds, empty for none."""
        return bytes(cast(bytes, self.client.get(self.keys.head)) or b"")

    def held_document(self, name: str) -> bytes:
        return bytes(cast(bytes, self.client.hget(self.keys.documents, name)))

    def overwrite(self, *, head: bytes | None = None, documents: Mapping[str, bytes]) -> None:
        """Write into Redis past the script, as a stranger could."""
        with self.client.pipeline() as pipe:
            if documents:
                pipe.hset(self.keys.documents, mapping=dict(documents))  # type: ignore[arg-type]
            if head is not None:
                pipe.set(self.keys.head, head)
            pipe.execute()

    def announce(self, fields: Mapping[str, bytes]) -> None:
        """Append to the change stream past the script."""
        self.client.xadd(self.keys.stream, dict(fields))  # type: ignore[arg-type]

    def seal(self, name: str, document: Document | None, *, version: int | None = None) -> bytes:
        at = self.version if version is None else version
        envelope = Envelope(self.epoch, at, dict(document) if document is not None else None)
        return SEALER.seal(envelope, environment_id=self.environment_id, field=name)

    def seal_head(self, **changes: Any) -> bytes:
        head = Head(self.project, self.environment, "live", len(self.documents), 1_800_000_000.5)
        digest = SEALER.hide_sum(self.total(), environment_id=self.environment_id)
        return self.seal("head", {**head.to_document(), "digest": digest, **changes})

    def total(self) -> int:
        """What all documents weigh together."""
        return sum(
            SEALER.weigh(self.seal(name, one), environment_id=self.environment_id, field=name)
            for name, one in self.documents.items()
        )

    def change(self, documents: Documents) -> dict[str, bytes]:
        """Change the database alone; returns what a publication of it would carry."""
        self.version += 1
        changes = {}
        for name, document in documents.items():
            changes[name] = self.seal(name, document)
            if document is None:
                del self.documents[name]
            else:
                self.documents[name] = document
        return changes

    def publish(self, documents: Documents) -> None:
        """One change, as a delta."""
        before = self.held_head()
        changes = self.change(documents)
        entry = self.entry(tuple(changes.items()))
        stored = {
            name: sealed if name in self.documents else b"" for name, sealed in changes.items()
        }
        self.run("delta", entry, stored, seen=before)

    def publish_full(self) -> None:
        """Everything anew, all of it sealed at the current version."""
        where = f"{self.project}/{self.environment}"
        self.client.hset(channel.REGISTRY, str(self.environment_id), where)
        stored = {name: self.seal(name, document) for name, document in self.documents.items()}
        self.run("full", self.entry(None), stored, seen=self.held_head())
        self.client.xadd(channel.REGISTRY_STREAM, {"environment": self.environment_id})

    def start(self, *flags: Document, keys: tuple[Key, ...] = ()) -> None:
        """The environment's first publication."""
        named = {f"flag/{one['key']}": one for one in flags}
        self.change({**named, **{key.field: key.document for key in keys}})
        self.publish_full()

    def entry(self, changes: tuple[tuple[str, bytes], ...] | None) -> StreamEntry:
        return StreamEntry(self.epoch, self.version - 1, self.version, self.seal_head(), changes)

    def run(
        self, mode: str, entry: StreamEntry, stored: Mapping[str, bytes], *, seen: bytes
    ) -> None:
        """Run the script that publishes; ``seen`` is the head that it must still find."""
        fields = entry.to_fields()
        arguments: list[str | bytes | int] = [seen, entry.head, mode]
        arguments += [channel.STREAM_LENGTH, len(fields)]
        for name, content in (*fields.items(), *stored.items()):
            arguments += [name, content]
        names = (self.keys.head, self.keys.documents, self.keys.stream)
        answer: Any = self.client.eval(SCRIPT, 3, *names, *arguments)
        assert answer == b"published", answer
