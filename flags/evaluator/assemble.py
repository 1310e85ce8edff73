"""From sealed documents to the next state of an environment, or to a reason for refusing them.

Nothing here trusts Redis: every seal is checked, versions never go back, and the documents must
be just those that the sealed head was made for.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from flags.channel import DIGEST_MODULUS, ForgedEnvelope, Head, Sealer, StreamEntry
from flags.channel.documents import (
    HEAD_FIELD,
)
from flags.engine import (
    CompiledSegment,
)
from flags.evaluator.contents import ApiKey, Content, FlagItem, read_content
from flags.evaluator.counters import Counters
from flags.evaluator.memory import Environment, Held, Position

logger = logging.getLogger("aviary.evaluator")

# Documents opened before requests get their turn again.
SLICE: Final = 32
# Bytes of a document that are opened in a thread: a segment of 100,000 keys takes 0.1 s.
LARGE: Final = 256 * 1024


class RefusalCause(StrEnum):
    FORGED = "forged"
    MALFORMED = "malformed"
    OLDER_VERSION = "older_version"
    LOWER_EPOCH = "lower_epoch"
    OTHER_EPOCH = "other_epoch"
    OLDER_DOCUMENT = "older_document"
    INCOMPLETE = "incomplete"
    MISMATCH = "mismatch"


class StateRefused(Exception):
    """A load or a stream entry was not believed; memory stays as it is."""

    def __init__(self, cause: RefusalCause, details: str) -> None:
        super().__init__(details)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class OpenHead:
    epoch: str
    version: int
    head: Head
    sealed: bytes
    total: int

    @property
    def position(self) -> Position:
        return self.epoch, self.version

    def check_against(self, held: Environment | None) -> None:
        """Raises StateRefused where memory is newer, or has other documents of this version."""
        if held is None:
            return
        if self.epoch < held.epoch:
            raise StateRefused(
                RefusalCause.LOWER_EPOCH, f"epoch {self.epoch} is before {held.epoch}"
            )
        if self.epoch == held.epoch and self.version < held.version:
            details = f"version {self.version} is before {held.version}"
            raise StateRefused(RefusalCause.OLDER_VERSION, details)

        if self.position == held.position and self.total != held.total:
            details = f"version {self.version} is not the one that is held"
            raise StateRefused(RefusalCause.MISMATCH, details)


def open_head(sealer: Sealer, environment_id: int, sealed: bytes) -> OpenHead:
    """Open the head of an environment. Raises StateRefused."""
    try:
        envelope = sealer.open(sealed, environment_id=environment_id, field=HEAD_FIELD)
    except ForgedEnvelope as error:
        raise StateRefused(RefusalCause.FORGED, str(error)) from None
    except ValueError:
        raise StateRefused(RefusalCause.MALFORMED, "the head cannot be read") from None
    try:
        head = _read_head(envelope.document or {})
        total = sealer.read_sum(head.digest, environment_id=environment_id)
    except (KeyError, TypeError, ValueError) as error:
        raise StateRefused(RefusalCause.MALFORMED, f"the head cannot be used: {error!r}") from None
    return OpenHead(envelope.epoch, envelope.version, head, sealed, total)


def _read_head(document: dict[str, object]) -> Head:
    documents, published_at = document["documents"], document["published_at"]
    if not isinstance(documents, int) or not isinstance(published_at, int | float):
        raise TypeError("documents and published_at must be numbers")
    return Head(
        project=str(document["project"]),
        environment=str(document["environment"]),
        kind=str(document["kind"]),
        documents=documents,
        published_at=float(published_at),
        sampling=document.get("sampling") is True,
        digest=str(document.get("digest", "")),
        nonce=str(document.get("nonce", "")),
    )


async def assemble_full(
    sealer: Sealer,
    head: OpenHead,
    documents: dict[bytes, bytes],
    *,
    environment_id: int,
    held: Environment | None,
    counters: Counters,
) -> Environment:
    head.check_against(held)
    if head.head.documents != len(documents):
        details = f"{len(documents)} documents where the head says {head.head.documents}"
        raise StateRefused(RefusalCause.INCOMPLETE, details)
    builder = _Builder(sealer, environment_id, head, held, counters)
    named = {field.decode(errors="replace"): sealed for field, sealed in documents.items()}
    await builder.put_all(named.items())
    for absent in builder.fields.keys() - named.keys():
        builder.remove(absent, head.version)
    return builder.finish()


async def assemble_delta(
    sealer: Sealer, entry: StreamEntry, *, held: Environment, counters: Counters
) -> Environment:
    """The state after an entry that starts where ``held`` ends. Raises StateRefused."""
    head = open_head(sealer, held.environment_id, entry.head)
    if head.position != (entry.epoch, entry.version):
        raise StateRefused(RefusalCause.FORGED, "an entry carries the head of another version")
    builder = _Builder(sealer, held.environment_id, head, held, counters)
    await builder.put_all(entry.changes or ())
    return builder.finish()


class _Builder:
    def __init__(
        self,
        sealer: Sealer,
        environment_id: int,
        head: OpenHead,
        held: Environment | None,
        counters: Counters,
    ) -> None:
        same_epoch = held if held is not None and held.epoch == head.epoch else None
        self.fields = dict(same_epoch.fields) if same_epoch else {}
        self._gone = dict(same_epoch.gone) if same_epoch else {}
        self._flags = dict(same_epoch.flags) if same_epoch else {}
        self._keys = dict(same_epoch.keys) if same_epoch else {}
        self._segments = dict(same_epoch.segments) if same_epoch else {}
        self._groups = dict(same_epoch.groups) if same_epoch else {}
        self._total = same_epoch.total if same_epoch else 0
        self._sealer, self._environment_id = sealer, environment_id
        self._head, self._counters = head, counters

    async def put_all(self, documents: Iterable[tuple[str, bytes]]) -> None:
        for index, (field, sealed) in enumerate(documents, 1):
            if len(sealed) > LARGE:
                await asyncio.to_thread(self._put, field, sealed)
            else:
                self._put(field, sealed)
            if index % SLICE == 0:
                await asyncio.sleep(0)

    def _put(self, field: str, sealed: bytes) -> None:
        try:
            envelope = self._sealer.open(sealed, environment_id=self._environment_id, field=field)
        except ForgedEnvelope as error:
            raise StateRefused(RefusalCause.FORGED, str(error)) from None
        except ValueError:
            raise StateRefused(RefusalCause.MALFORMED, f"{field} cannot be read") from None
        if envelope.epoch != self._head.epoch:
            raise StateRefused(RefusalCause.OTHER_EPOCH, f"{field} is of epoch {envelope.epoch}")
        held = self.fields.get(field)
        known = held.version if held is not None else self._gone.get(field, 0)
        if envelope.version < known:
            self._counters.refused[RefusalCause.OLDER_DOCUMENT] += 1
        elif envelope.document is None:
            self.remove(field, envelope.version)
        else:
            self._take(field, envelope.version, sealed, envelope.document)

    def remove(self, field: str, version: int) -> None:
        self._gone[field] = version
        held = self.fields.pop(field, None)
        if held is None:
            return
        self._total -= held.weight
        if held.content is not None:
            where, key = self._place_of(held.content)
            del where[key]

    def finish(self) -> Environment:
        head = self._head
        if len(self.fields) != head.head.documents:
            details = f"{len(self.fields)} usable documents, the head says {head.head.documents}"
            raise StateRefused(RefusalCause.INCOMPLETE, details)
        if self._total % DIGEST_MODULUS != head.total:
            details = (
                f"the documents are not those of version {head.version}: one is older or newer"
            )
            raise StateRefused(RefusalCause.MISMATCH, details)
        return Environment(
            environment_id=self._environment_id,
            epoch=head.epoch,
            version=head.version,
            head=head.head,
            sealed_head=head.sealed,
            total=head.total,
            fields=self.fields,
            gone=self._gone,
            flags=self._flags,
            keys=self._keys,
            segments=self._segments,
            groups=self._groups,
        )

    def _take(self, field: str, version: int, sealed: bytes, document: dict[str, object]) -> None:
        weight = self._sealer.weigh(sealed, environment_id=self._environment_id, field=field)
        held = self.fields.get(field)
        if held is not None and held.weight == weight:  # the same content, published again
            self.fields[field] = Held(version, weight, held.content, sealed)
            return
        content = read_content(field, document)
        # A document of this field that was readable before must not survive one that is not.
        self.remove(field, version)
        del self._gone[field]
        self._total += weight
        self.fields[field] = Held(version, weight, content, sealed)
        if content is not None:
            where, key = self._place_of(content)
            where[key] = content

    def _place_of(self, content: Content) -> tuple[dict[Any, Any], str | bytes]:
        if isinstance(content, ApiKey):
            return self._keys, content.selector.encode()
        if isinstance(content, FlagItem):
            return self._flags, content.key
        is_segment = isinstance(content, CompiledSegment)
        return self._segments if is_segment else self._groups, content.key
