"""Rows into documents for evaluators, each environment read as of one version."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from flags import channel
from flags.channel.documents import (
    FLAG_PREFIX,
    GROUP_PREFIX,
    HEAD_FIELD,
    KEY_PREFIX,
    SEGMENT_PREFIX,
)
from flags.engine import DocumentError, Named
from flags.engine.parsing import DEFINITION_PART
from flags.models import ExclusionGroup, FlagConfiguration, Segment
from portal.access import outbox
from portal.access.models import ApiKey, Environment
from portal.access.permissions import TELEMETRY

logger = logging.getLogger(__name__)
Documents = dict[str, dict[str, object] | None]

_OPTIMISTIC_READS = 3


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An environment's documents as of ``environment.version``.

    ``since`` is the version that ``documents`` bring up to date, or None where they are everything;
    a document of None is gone. ``total`` is how many documents there are in all.
    """

    environment: Environment
    since: int | None
    documents: Documents
    total: int


def read_snapshot(environment_id: int, *, since: int | None) -> Snapshot:
    """Read what changed after version ``since``, or everything, all as of one version.

    Every change raises the version in its own transaction, so a version that stood still while
    we read proves that we read one state. Under steady writes the row's lock makes it stand still.
    """
    for _attempt in range(_OPTIMISTIC_READS):
        environment = _environment(environment_id)
        snapshot = _read(environment, since)
        if _environment(environment_id).version == environment.version:
            return snapshot
    with transaction.atomic():
        Environment.objects.select_for_update().get(pk=environment_id)
        return _read(_environment(environment_id), since)


def _environment(environment_id: int) -> Environment:
    return Environment.objects.select_related("project").get(pk=environment_id)


def _read(environment: Environment, since: int | None) -> Snapshot:
    changed = None if since is None else _changed_keys(environment, since)
    if changed is None:
        since = None
    documents: Documents = {}
    for kind, source in _SOURCES.items():
        documents |= _documents(source, environment, None if changed is None else changed[kind])
    total = sum(source.rows(environment).count() for source in _SOURCES.values())
    return Snapshot(environment, since, documents, total)


def _changed_keys(environment: Environment, since: int) -> dict[str, set[str]] | None:
    """What changed after ``since`` by kind; None where the list no longer reaches back so far."""
    rows = environment.changes.filter(version__gt=since).values_list("version", "kind", "key")
    changed: dict[str, set[str]] = {kind: set() for kind in _SOURCES}
    versions = set()
    for version, kind, key in rows:
        versions.add(version)
        changed[kind].add(key)
    return changed if len(versions) == environment.version - since else None


def _flag_document(configuration: FlagConfiguration) -> dict[str, object]:
    """The flag's document; a row that no longer parses travels raw.

    The evaluator then serves that flag as an error and goes on, instead of everyone being left on
    an old version because of one row.
    """
    try:
        return configuration.environment_document()
    except DocumentError as error:
        logger.error("flag %s does not parse: %s", configuration.flag.key, error)
        document = configuration.flag.document
        flag = {field: document[field] for field in DEFINITION_PART}
        return flag | configuration.document | {"version": configuration.version}


def _key_document(key: ApiKey) -> dict[str, object]:
    return {
        "selector": key.selector,
        "kind": key.kind,
        "verifier": key.verifier,
        "origins": key.allowed_origins,
        "expires_at": key.expires_at.timestamp() if key.expires_at else None,
        "rate": key.rate_limit,
        "burst": key.burst_limit,
    } | ({"decides": True} if TELEMETRY in key.rights else {})


class _Source(NamedTuple):
    prefix: str
    rows: Callable[[Environment], QuerySet[Any]]
    key: str
    document: Callable[[Any], dict[str, object]]


def _flags(environment: Environment) -> QuerySet[Any]:
    served = FlagConfiguration.objects.served().filter(environment=environment)
    return served.select_related("flag")


def _keys(environment: Environment) -> QuerySet[Any]:
    return ApiKey.objects.filter(environment=environment, revoked_at__isnull=True)


def _segments(environment: Environment) -> QuerySet[Any]:
    segments = Segment.objects.filter(project=environment.project)
    segments = segments.select_related("included", "excluded")
    return segments.defer("included__content", "excluded__content")


_SOURCES = {
    Named.FLAG: _Source(FLAG_PREFIX, _flags, "flag__key", _flag_document),
    outbox.KEY: _Source(KEY_PREFIX, _keys, "selector", _key_document),
    Named.SEGMENT: _Source(SEGMENT_PREFIX, _segments, "key", attrgetter("engine_document")),
    Named.GROUP: _Source(
        GROUP_PREFIX,
        lambda environment: ExclusionGroup.objects.filter(project=environment.project),
        "key",
        attrgetter("engine_document"),
    ),
}


def _documents(source: _Source, environment: Environment, keys: set[str] | None) -> Documents:
    """Only what changed is read: a segment's lists may hold 100,000 keys."""
    rows, key_of = source.rows(environment), attrgetter(source.key.replace("__", "."))
    if keys is not None:
        rows = rows.filter(**{f"{source.key}__in": keys})
    documents: Documents = {source.prefix + key: None for key in keys or ()}
    for row in rows.iterator(chunk_size=500):
        documents[source.prefix + key_of(row)] = source.document(row)
    return documents


# What Redis holds of an environment, as far as its seals hold.


@dataclass(slots=True)
class HeldHead:
    """A head as it was found, and what a genuine head says.

    ``total`` is the sum of its documents' weights, ``complete`` whether as many are there as it
    says, and ``registered`` whether the environment is listed for the evaluators. ``audit_row`` is
    where the audit trail stood, 0 where it does not say.
    """

    raw: bytes | None
    epoch: str = ""
    version: int = -1
    nonce: str = ""
    documents: int = 0
    total: int | None = None
    complete: bool = False
    registered: bool = False
    audit_row: int = 0
    audit_hash: str = ""

    @classmethod
    def read(
        cls, raw: bytes | None, documents: int, sealer: channel.Sealer, environment_id: int
    ) -> "HeldHead":
        """Open a head beside which lie so many documents.

        Raises ForgedEnvelope when somebody else wrote it.
        """
        if raw is None:
            return cls(raw=None)
        envelope = sealer.open(raw, environment_id=environment_id, field=HEAD_FIELD)
        said = envelope.document or {}
        total: int | None
        try:
            total = sealer.read_sum(str(said.get("digest", "")), environment_id=environment_id)
        except ValueError:  # written by an Aviary that had no digest yet
            total = None
        return cls(
            raw,
            epoch=envelope.epoch,
            version=envelope.version,
            nonce=str(said.get("nonce", "")),
            documents=documents,
            total=total,
            complete=total is not None and said.get("documents") == documents,
            audit_row=int(str(said.get("audit_row", 0))),
            audit_hash=str(said.get("audit_hash", "")),
        )

    def is_at(self, environment: Environment) -> bool:
        held = (self.epoch, self.version, self.nonce)
        return held == (environment.epoch, environment.version, environment.nonce)

    def is_current(self, environment: Environment) -> bool:
        return self.complete and self.is_at(environment)

    def is_of(self, environment: Environment) -> bool | None:
        """Whether it is of the database's history; None where that cannot be said."""
        if self.epoch == "":
            return None
        return environment.recalls(epoch=self.epoch, version=self.version, nonce=self.nonce)
