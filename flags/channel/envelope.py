"""Sealed documents: nobody who merely reaches Redis can make an evaluator believe something.

An envelope is ``epoch:version:signature:payload``. The signature is HMAC-SHA256 (base64url, no
padding) over the environment, the field it is stored under, the epoch, the version and the
payload, so that a genuine document cannot be moved to another flag or environment, nor an older
one passed off as newer. An empty payload says that the document is gone.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass

import orjson


class ForgedEnvelope(ValueError):
    """The envelope is malformed or its signature does not hold."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a seal protects. ``document`` is None where the document was removed."""

    epoch: str
    version: int
    document: dict[str, object] | None


class Sealer:
    """Seals and opens envelopes with one shared secret."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the snapshot key needs at least 32 bytes")
        self._keyed = hmac.new(secret, digestmod=hashlib.sha256)

    def seal(self, envelope: Envelope, *, environment_id: int, field: str) -> bytes:
        payload = b"" if envelope.document is None else orjson.dumps(envelope.document)
        epoch, version = envelope.epoch.encode(), b"%d" % envelope.version
        signature = self._sign(environment_id, field, epoch, version, payload)
        return b":".join((epoch, version, signature, payload))

    def open(self, sealed: bytes, *, environment_id: int, field: str) -> Envelope:
        """Return what was sealed for this environment and field.

        Raises ForgedEnvelope when it is malformed, tampered with, or was sealed for another place.
        """
        parts = sealed.split(b":", 3)
        if len(parts) != 4:
            raise ForgedEnvelope(f"{field} is not an envelope")
        epoch, version, signature, payload = parts
        expected = self._sign(environment_id, field, epoch, version, payload)
        if not hmac.compare_digest(signature, expected):
            raise ForgedEnvelope(f"{field} carries a wrong signature")
        document = orjson.loads(payload) if payload else None
        return Envelope(epoch=epoch.decode(), version=int(version), document=document)

    def _sign(
        self, environment_id: int, field: str, epoch: bytes, version: bytes, payload: bytes
    ) -> bytes:
        mac = self._keyed.copy()
        # NUL separates the parts; neither field nor epoch can hold one, so no two differ only
        # in where one part ends.
        place = b"%d\0%s\0" % (environment_id, field.encode())
        mac.update(b"\0".join((place, epoch, version, payload)))
        return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=")
