"""People who work with the stack without a browser of their own: somebody else, meanwhile."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from playwright.sync_api import BrowserContext

from tests.support.stack import Stack

PROJECT = "demo"
ENVIRONMENTS = ("development", "staging", "production")
BOOLEAN = {
    "kind": "release",
    "value_type": "boolean",
    "variants[0].key": "on",
    "variants[0].value": "true",
    "variants[1].key": "off",
    "variants[1].value": "false",
}
_TOKEN = re.compile(r'value="(av_[a-z]+_[^"]+)"')
_PASSWORD = re.compile(r'id="password" readonly value="([^"]+)"')
_SALT = re.compile(r'name="salt" value="([^"]+)"')
_VERSION = re.compile(r'name="version" value="(\d+)"')


def token_in(page: str) -> str:
    """The token of a new API key, as its dialog shows it."""
    found = _TOKEN.search(page)
    assert found, page
    return found[1]


def password_in(page: str) -> str:
    """The one-time password of somebody new, as the dialog shows it."""
    found = _PASSWORD.search(page)
    assert found, page
    return found[1]


class Visitor:
    """Someone signed in, who sends what a browser would send."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self.client = client
        self.name = name

    def sign_in(self, password: str) -> None:
        self.client.get("/sign-in").raise_for_status()
        _expect(self.post("/sign-in", {"username": self.name, "password": password}), 302)

    def post(self, path: str, fields: dict[str, str] | None = None) -> httpx.Response:
        """Send a form to an address of the portal; the answer is the caller's to judge."""
        headers = {"X-CSRFToken": self.client.cookies["csrftoken"]}
        return self.client.post(path, data=fields or {}, headers=headers)

    def lend_session(self, context: BrowserContext) -> None:
        """Sign a browser in as this person."""
        url = str(self.client.base_url)
        context.add_cookies(
            [{"name": c.name, "value": str(c.value), "url": url} for c in self.client.cookies.jar]
        )

    def create_flag(self, key: str, name: str = "", **fields: str) -> None:
        """A boolean flag with the variants on and off, unless ``fields`` say otherwise."""
        given = BOOLEAN | {"key": key, "name": name} | fields
        _expect(self.post(f"/p/{PROJECT}/flags/new", given), 302)
        self.hear_messages()

    def edit_flag(self, key: str, *, version: str, name: str) -> None:
        """Give such a boolean flag another name, from a version that this person saw."""
        fields = BOOLEAN | {"version": version, "name": name}
        _expect(self.post(f"/p/{PROJECT}/flag/settings/{key}", fields), 302)
        self.hear_messages()

    def save_targeting(self, key: str, environment: str, **changes: object) -> None:
        """Change the targeting of such a boolean flag, from whatever it is at now."""
        page = self.client.get(f"/p/{PROJECT}/flag/targeting/{environment}/{key}").text
        salt, version = _SALT.search(page), _VERSION.search(page)
        assert salt, page
        assert version, page
        document = {
            "enabled": True,
            "off_variant": "off",
            "fallthrough": {"variant": "on"},
            "salt": salt[1],
        } | changes
        fields = {"document": json.dumps(document), "version": version[1], "typed": environment}
        _expect(self.post(f"/p/{PROJECT}/flag/save/{environment}/{key}", fields), 302)
        self.hear_messages()

    def switch(self, key: str, environment: str, *, on: bool) -> None:
        """Turn a flag on or off, with every confirmation that could be asked for."""
        fields = {"enabled": "1" if on else "0", "confirmed": "1", "typed": environment}
        _expect(self.post(f"/p/{PROJECT}/flag/switch/{environment}/{key}", fields), 200)

    def create_key(self, environment: str, kind: str = "server") -> str:
        """The token of a new API key."""
        fields = {"name": "Test application", "environment": environment, "kind": kind}
        return token_in(_expect(self.post(f"/p/{PROJECT}/keys/new", fields), 200).text)

    def hear_messages(self) -> None:
        """Open a page, lest what was said shows up later in a window of this person's."""
        self.client.get("/projects").raise_for_status()

    def add_member(self, name: str, role: str) -> str:
        """The one-time password of somebody new."""
        fields = {"username": name, "role": role}
        return password_in(_expect(self.post(f"/p/{PROJECT}/members/new", fields), 200).text)


class Application:
    """A program with an API key, which asks the evaluator."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def ask(self, key: str, **context: object) -> httpx.Response:
        body = {"context": {"targetingKey": "user-1", **context}}
        return self.client.post(f"/ofrep/v1/evaluate/flags/{key}", json=body)

    def value_of(self, key: str, **context: object) -> Any:
        """The value of a flag; None while there is none."""
        return self.ask(key, **context).json().get("value")


@contextmanager
def visiting(stack: Stack, name: str, password: str) -> Iterator[Visitor]:
    """Someone who signs in."""
    with httpx.Client(base_url=stack.portal_url) as client:
        visitor = Visitor(client, name)
        visitor.sign_in(password)
        yield visitor


@contextmanager
def running_application(stack: Stack, token: str) -> Iterator[Application]:
    """A program that shows this token."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=stack.evaluator_url, headers=headers) as client:
        yield Application(client)


def _expect(answer: httpx.Response, status: int) -> httpx.Response:
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer
