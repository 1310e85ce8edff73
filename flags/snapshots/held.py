"""What Redis holds of an environment, as far as its seals hold."""

from flags import channel
from flags.channel.documents import HEAD_FIELD
from portal.access.models import Environment


class HeldHead:
    """A head as it was found, and what a genuine head says.

    ``total`` is the sum of its documents' weights, ``complete`` whether as many are there as it
    says, and ``registered`` whether the environment is listed for the evaluators. ``audit_row`` is
    where the audit trail stood, 0 where it does not say.
    """

    def __init__(
        self,
        raw: bytes | None,
        *,
        epoch: str = "",
        version: int = -1,
        nonce: str = "",
        documents: int = 0,
        total: int | None = None,
    ) -> None:
        self.raw = raw
        self.epoch, self.version, self.nonce = epoch, version, nonce
        self.documents, self.total = documents, total
        self.complete = self.registered = False
        self.audit_row, self.audit_hash = 0, ""

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
        held = cls(
            raw,
            epoch=envelope.epoch,
            version=envelope.version,
            nonce=str(said.get("nonce", "")),
            documents=documents,
            total=total,
        )
        held.audit_row = int(str(said.get("audit_row", 0)))
        held.audit_hash = str(said.get("audit_hash", ""))
        held.complete = total is not None and said.get("documents") == documents
        return held

    def is_at(self, environment: Environment) -> bool:
        """Whether it says just this version of this history."""
        held = (self.epoch, self.version, self.nonce)
        return held == (environment.epoch, environment.version, environment.nonce)

    def is_current(self, environment: Environment) -> bool:
        return self.complete and self.is_at(environment)

    def is_of(self, environment: Environment) -> bool | None:
        """Whether it is of the database's history; None where that cannot be said."""
        if self.epoch == "":
            return None
        return environment.recalls(epoch=self.epoch, version=self.version, nonce=self.nonce)
