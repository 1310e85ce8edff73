from dataclasses import asdict, dataclass
from typing import Final

import orjson

HEAD_FIELD = "head"
FLAG_PREFIX = "flag/"
KEY_PREFIX = "key/"
SEGMENT_PREFIX = "segment/"
GROUP_PREFIX = "group/"


@dataclass(frozen=True, slots=True)
class Head:
    """Where an environment stands. ``published_at`` is in Unix seconds of the database clock.

    ``sampling`` lets evaluators keep samples of what they are asked with (see ``samples``).
    ``digest`` is the hidden sum of all documents (see ``envelope``), and ``nonce`` what the
    database drew for this version: the same version with another nonce is of another history.
    ``audit_row`` and ``audit_hash`` say where the audit trail stood: an anchor beside the database.
    """

    project: str
    environment: str
    kind: str
    documents: int
    published_at: float
    sampling: bool = False
    digest: str = ""
    nonce: str = ""
    audit_row: int = 0
    audit_hash: str = ""

    def to_document(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Change:
    """One sealed document and the field it is stored under; ``sealed`` may seal a removal."""

    field: str
    sealed: bytes
    removed: bool


# Reading it must not hold up other environments. Larger changes travel outside the stream.
MAX_CHANGES_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of a change stream: from ``base`` to ``version`` of an epoch.

    ``changes`` is None where the change was too large to travel in the stream, or where
    everything was published anew: the follower then reloads in full.
    """

    epoch: str
    base: int
    version: int
    head: bytes
    changes: tuple[tuple[str, bytes], ...] | None

    def to_fields(self) -> dict[str, bytes]:
        fields = {
            "epoch": self.epoch.encode(),
            "base": b"%d" % self.base,
            "version": b"%d" % self.version,
            "head": self.head,
        }
        if self.changes is not None:
            fields["changes"] = orjson.dumps([[f, s.decode()] for f, s in self.changes])
        return fields

    @classmethod
    def from_fields(cls, fields: dict[bytes, bytes]) -> "StreamEntry":
        """Read an entry as redis-py returns it. Raises KeyError or ValueError when malformed."""
        raw = fields.get(b"changes")
        changes = None
        if raw is not None:
            if len(raw) > MAX_CHANGES_BYTES:
                raise ValueError("no publisher sends that much in an entry")
            changes = tuple((str(f), str(s).encode()) for f, s in orjson.loads(raw))
        return cls(
            epoch=fields[b"epoch"].decode(),
            base=int(fields[b"base"]),
            version=int(fields[b"version"]),
            head=fields[b"head"],
            changes=changes,
        )
