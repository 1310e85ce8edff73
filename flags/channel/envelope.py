"""Sealed documents: nobody who merely reaches Redis can make an evaluator believe something.

An envelope is ``epoch:version:signature:payload``. The signature is HMAC-SHA256 (base64url, no
padding) over the environment, the field it is stored under, the epoch, the version and the
payload, so that a genuine document cannot be moved to another flag or environment, nor an older
one passed off as newer. An empty payload says that the document is gone.

What a set of documents adds up to is one number: the sum, modulo 2^256, of a keyed hash of each
document's field and payload. It is kept up to date by subtracting what goes and adding what comes.
The sum travels hidden by a hash of a random nonce; who could see sums would learn what to exchange
against what (MSet-Add-Hash; Clarke et al., Incremental Multiset Hash Functions, 2003).
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

import orjson

DIGEST_MODULUS: Final = 2**256


class ForgedEnvelope(ValueError):
    """The envelope is malformed or its signature does not hold."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a seal protects. ``document`` is None where the document was removed."""

    epoch: str
    version: int
    document: dict[str, object] | None


class Sealer:
    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the snapshot key needs at least 32 bytes")
        self._keyed = hmac.new(secret, digestmod=hashlib.sha256)
        # A key of its own: these hashes must not be among the signatures that anyone can read.
        self._naming = hmac.digest(secret, b"users", "sha256")
        self._weighing = hmac.new(hmac.digest(secret, b"digest", "sha256"), digestmod="sha256")

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

    def weigh(self, sealed: bytes, *, environment_id: int, field: str) -> int:
        """What a sealed document adds to its environment's sum; 0 for a removal.

        It depends on the content and not on the version, so that publishing again changes nothing.
        """
        payload = sealed.split(b":", 3)[3]
        return self._hash(b"%d\0%s\0" % (environment_id, field.encode()), payload) if payload else 0

    def hash_user(self, user: str) -> bytes:
        """8 bytes in place of a user: without the key no guess can be held against them."""
        return hashlib.blake2b(user.encode(), digest_size=8, key=self._naming).digest()

    def hide_sum(self, total: int, *, environment_id: int) -> str:
        nonce = secrets.token_hex(16)
        return f"{nonce}{(total + self._mask(environment_id, nonce)) % DIGEST_MODULUS:064x}"

    def read_sum(self, digest: str, *, environment_id: int) -> int:
        """Raises ValueError where the digest is malformed."""
        nonce, hidden = digest[:32], digest[32:]
        if len(hidden) != 64:
            raise ValueError("it has no digest of its documents")
        return (int(hidden, 16) - self._mask(environment_id, nonce)) % DIGEST_MODULUS

    def _mask(self, environment_id: int, nonce: str) -> int:
        return self._hash(b"%d\0\0" % environment_id, nonce.encode())  # no field has an empty name

    def _hash(self, place: bytes, content: bytes) -> int:
        mac = self._weighing.copy()
        mac.update(place)
        mac.update(content)
        return int.from_bytes(mac.digest(), "big")

    def _sign(
        self, environment_id: int, field: str, epoch: bytes, version: bytes, payload: bytes
    ) -> bytes:
        mac = self._keyed.copy()
        # NUL separates the parts; neither field nor epoch can hold one, so no two differ only
        # in where one part ends.
        place = b"%d\0%s\0" % (environment_id, field.encode())
        mac.update(b"\0".join((place, epoch, version, payload)))
        return base64.urlsafe_b64encode(mac.digest()).rstrip(b"=")
