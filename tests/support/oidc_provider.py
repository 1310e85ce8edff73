"""An OpenID Connect provider in a process of its own: discovery, keys, PKCE, signed tokens.

``python -m tests.support.oidc_provider PORT``. It believes that whoever comes is the person whom
``POST /next`` named last, and signs what it was told there to say. It is strict about all that an
application has to do right: client, secret, redirect address, code, PKCE.
"""

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.ports import free_port
from tests.support.settings_env import ROOT
from tests.support.waiting import wait_until

CLIENT_ID, CLIENT_SECRET = "aviary", "a-secret-between-aviary-and-the-provider"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Book:
    """What the provider knows."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key, self.forged = new_key(), new_key()
        self.codes: dict[str, dict[str, str]] = {}
        # claims: of the next token; forge, alg: how it is signed; discovery: what is wrong there
        self.next: dict[str, Any] = {}

    def discovery(self) -> dict[str, Any]:
        paths = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        told = {path: f"{self.issuer}/{path}" for path in paths}
        return {"issuer": self.issuer, **told, **self.next.get("discovery", {})}

    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "alg": "RS256", "use": "sig"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where to send the browser."""
        assert asked["client_id"] == CLIENT_ID, asked
        assert asked["response_type"] == "code", asked
        assert asked["code_challenge_method"] == "S256", asked
        assert "openid" in asked["scope"].split(), asked
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, asked: dict[str, str]) -> dict[str, Any] | None:
        """The answer to a code, or None where anything about it is wrong."""
        given = self.codes.pop(asked.get("code", ""), None)
        if given is None or asked.get("redirect_uri") != given["redirect_uri"]:
            return None
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return None
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if challenge != given["code_challenge"]:
            return None
        return {"access_token": "x", "token_type": "Bearer", "id_token": self._id_token(given)}

    def _id_token(self, given: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            "nonce": given.get("nonce"),
        }
        if "max_age" in given:
            claims["auth_time"] = now
        claims |= self.next.get("claims", {})
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.next.get("alg") == "none":
            return jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})
        key = self.forged if self.next.get("forge") else self.key
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"})


class Handler(BaseHTTPRequestHandler):
    book: Book

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/authorization_endpoint":
            self.send_response(302)
            self.send_header("Location", self.book.authorize(dict(parse_qsl(url.query))))
            self.end_headers()
            return
        pages = {
            "/.well-known/openid-configuration": self.book.discovery,
            "/jwks_uri": self.book.keys,
        }
        self._answer(200, pages[url.path]()) if url.path in pages else self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/next":
            self.book.next = json.loads(body)
            self._answer(200, {})
        elif self.path == "/token_endpoint":
            token = self.book.token(dict(parse_qsl(body)))
            self._answer(200 if token else 400, token or {"error": "invalid_grant"})
        else:
            self._answer(404, {})

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())


@dataclass(frozen=True)
class OidcProvider:
    """The running process, as the tests see it."""

    issuer: str

    @property
    def settings(self) -> dict[str, str]:
        """What an operator would set."""
        return {
            "OIDC_ISSUER": self.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "Nest",
        }

    def expect(self, subject: str, **changes: Any) -> None:
        """Whoever comes next is this person; ``changes`` of the claims, None leaves one out."""
        self.next({"claims": {"sub": subject, "preferred_username": subject, **changes}})

    def next(self, told: dict[str, Any]) -> None:
        httpx.post(f"{self.issuer}/next", json=told).raise_for_status()


@contextmanager
def running() -> Iterator[OidcProvider]:
    """A provider on a port of its own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.oidc_provider", str(port)], cwd=ROOT
    )
    provider = OidcProvider(f"http://127.0.0.1:{port}")
    try:
        wait_until(lambda: _answers(provider), what="the provider")
        yield provider
    finally:
        process.kill()
        process.wait()


def _answers(provider: OidcProvider) -> bool:
    try:
        return httpx.get(f"{provider.issuer}/jwks_uri").status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    port = int(sys.argv[1])
    Handler.book = Book(f"http://127.0.0.1:{port}")
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
