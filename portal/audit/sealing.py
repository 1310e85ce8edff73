"""What the audit key proves besides the rows: anchors and exports.

Everything is sealed under a purpose of its own, so that nothing sealed for one can be passed off
as another, or as a row of the chain (whose sealed bytes start with 64 hex digits).
"""

import hashlib
import hmac
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def canonical(document: Mapping[str, object]) -> bytes:
    """The bytes that are sealed for a document: compact JSON in UTF-8, keys in order."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()


def mac(key: bytes, purpose: str, content: bytes) -> str:
    """HMAC-SHA256 of the purpose, a line feed and the content, in lower-case hex."""
    return hmac.new(key, purpose.encode() + b"\n" + content, hashlib.sha256).hexdigest()


def signature(key: bytes, purpose: str, content: bytes) -> str:
    """The Ed25519 signature over the purpose, a line feed and the content, in lower-case hex."""
    return _signing_key(key).sign(purpose.encode() + b"\n" + content).hex()


def public_key(key: bytes) -> str:
    """What anyone needs to check signatures, and with which nobody can make one; hex."""
    return _signing_key(key).public_key().public_bytes_raw().hex()


def _signing_key(key: bytes) -> Ed25519PrivateKey:
    """Derived, so that there is one secret to keep and not two."""
    seed = mac(key, "aviary-audit-signing-key/1", b"")
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
