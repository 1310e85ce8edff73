"""The form of an API token: ``av_<kind>_<selector>_<secret>``.

The selector finds the key; the secret proves it and is kept only as its SHA-256. A plain hash is
enough because the secret is 256 random bits: there is no dictionary to try.
"""

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass

PREFIX = "av"
SELECTOR_LENGTH = 16
_SELECTOR_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart."""

    kind: str
    selector: str
    secret: str

    def __str__(self) -> str:
        return f"{PREFIX}_{self.kind}_{self.selector}_{self.secret}"

    @property
    def verifier(self) -> str:
        """What the database and the evaluators keep: hex SHA-256 of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def proves(self, verifier: str) -> bool:
        """Whether the secret is the one that ``verifier`` was made from, in constant time."""
        return hmac.compare_digest(self.verifier, verifier)


def new_token(kind: str) -> Token:
    """A fresh random token."""
    selector = "".join(secrets.choice(_SELECTOR_ALPHABET) for _ in range(SELECTOR_LENGTH))
    return Token(kind, selector, secrets.token_urlsafe(32))


def parse_token(text: str) -> Token | None:
    """The parts of a token, or None where the text is not one."""
    parts = text.split("_", 3)
    if len(parts) != 4 or parts[0] != PREFIX or len(parts[2]) != SELECTOR_LENGTH:
        return None
    return Token(parts[1], parts[2], parts[3])
