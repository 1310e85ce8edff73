"""The form of an API token: ``av_<kind>_<selector>_<secret>``.

The selector finds the key; the secret proves it and is kept only as its SHA-256. A plain hash is
enough because the secret is 256 random bits: there is no dictionary to try.
"""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass

PREFIX = "av"
SELECTOR_LENGTH = 16
# What no secret proves: for tokens that nobody issued, so that they take as long to refuse.
NO_VERIFIER = "0" * 64
_SELECTOR_ALPHABET = string.ascii_lowercase + string.digits
# The secret may hold underscores and hyphens, and nothing that a database or a log trips over.
_FORM = re.compile(rf"{PREFIX}_([a-z]+)_([a-z0-9]{{{SELECTOR_LENGTH}}})_([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class Token:
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
    selector = "".join(secrets.choice(_SELECTOR_ALPHABET) for _ in range(SELECTOR_LENGTH))
    return Token(kind, selector, secrets.token_urlsafe(32))


def parse_token(text: str) -> Token | None:
    found = _FORM.fullmatch(text)
    return Token(*found.groups()) if found else None


def new_password() -> str:
    """A random password that can be typed: 96 bits."""
    return "-".join(secrets.token_hex(3) for _ in range(4))
