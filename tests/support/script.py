"""What a script does with the management API: HTTP, through the front door."""

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from django.test import Client

from flags.models import FlagConfiguration
from portal.access import services
from portal.access.models import Environment, User
from portal.access.permissions import Permission
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP
from tests.support.remembering import remembered

PROJECT = "/api/v1/projects/shop"
FLAGS = f"{PROJECT}/flags"
PRODUCTION = f"{PROJECT}/environments/production"
PROBLEM = "application/problem+json"
Response: TypeAlias = Any  # what the test client makes of a response has no public type


def issue(
    environment: Environment,
    kind: str = "admin",
    *,
    owner: User | None = None,
    evidence: Sequence[str] = (),
    rights: Sequence[Permission] = (),
) -> str:
    """A token of a new key, as an operator makes it."""

    def make() -> str:
        issued = services.issue_key(
            environment=environment,
            kind=kind,
            name="Pipeline",
            owner=owner,
            evidence=evidence,
            rights=rights,
            intent=Intent(SETTING_UP),
        )
        return str(issued.token)

    whose = owner and owner.pk
    what = f"{kind} key of {environment.pk}, {whose}, {list(evidence)}, {list(rights)}"
    return remembered(what, make)


def serve_only_in(place: Environment) -> None:
    """As if the other environments had had policies when the flags came: then what a key changes
    of a flag is noticed in its own environment alone."""
    FlagConfiguration.objects.exclude(environment=place).update(introduced=False)


class Script:
    """Calls with one key, or none."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.client = Client(raise_request_exception=True)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
        **headers: str,
    ) -> Response:
        """``body`` goes out as JSON; headers with underscores for hyphens."""
        if self.token:
            headers.setdefault("authorization", f"Bearer {self.token}")
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, path, data, content_type, headers=named)

    def get(self, path: str, **headers: Any) -> Response:
        return self.call("GET", path, None, **headers)

    def post(self, path: str, body: object = None, **options: Any) -> Response:
        return self.call("POST", path, body, **options)


def problem(response: Response, status: int) -> dict[str, Any]:
    """The problem that was answered; fails where it is none of that status."""
    assert (response.status_code, response["Content-Type"]) == (status, PROBLEM), response.content
    document: dict[str, Any] = json.loads(response.content)
    assert document["status"] == status
    assert document["type"].startswith("urn:aviary:problem:")
    assert document["title"]
    assert document["detail"]
    return document


def answer(response: Response, status: int = 200) -> Any:
    """The JSON that was answered."""
    assert (response.status_code, response["Content-Type"]) == (status, "application/json"), (
        response.content
    )
    return json.loads(response.content)
