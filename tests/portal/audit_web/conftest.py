"""A history of the shop that has something for every filter, and one of the garden."""

import json
from datetime import datetime

import pytest
from django.db import transaction
from django.test import Client

from portal.access.models import Environment, Project, User
from portal.access.services import issue_key
from portal.audit import services
from portal.audit.models import AuditEvent
from portal.lib.journal import Entry, Intent
from tests.support.people import SETTING_UP, acting

LIST = "/p/shop/history/"


@transaction.atomic
def record(user: User, count: int = 1, **changes: object) -> None:
    """Rows about a flag of the shop, unless ``changes`` say otherwise."""
    fields: dict[str, object] = {
        "event": "flag.enabled",
        "actor": acting(user),
        "subject_kind": "flag",
        "subject": "banner",
        "project": "shop",
        "environment": "staging",
    }
    services.record_all([Entry(**(fields | changes))] * count)  # type: ignore[arg-type]


@pytest.fixture
def past(shop: Project, garden: Project, alice: User, dana: User, charlie: User) -> None:
    """Different people did different things, in different places, for different reasons."""
    record(alice, environment="production", reason="Käse-Woche, see INC-4711")
    record(dana, 2, event="flag.disabled", subject="new-checkout")
    record(dana, environment="production", reason="the incident is over")
    record(dana, event="freeze_window.created", subject_kind="freeze_window", subject="xmas")
    record(charlie, project="garden", subject="roses", reason="see INC-4711")


def sequences(client: Client, query: str = "", address: str = LIST) -> list[int]:
    """The rows that a page shows, in its order."""
    response = client.get(f"{address}?{query}")
    assert response.status_code == 200, response.content.decode()
    return [line.event.sequence for line in response.context["lines"]]


def exported(client: Client, query: str = "", kind: str = "jsonl") -> bytes:
    """The whole of an export's file."""
    response = client.post(f"{LIST}export?{query}", {"format": kind})
    assert response.status_code == 200, response.content.decode()
    return b"".join(response.streaming_content)  # type: ignore[attr-defined]


def rows_of(file: bytes) -> list[dict[str, object]]:
    """The rows of an export in JSON Lines, without its manifest."""
    return [json.loads(line) for line in file.splitlines()][:-1]


def newest() -> AuditEvent:
    return AuditEvent.objects.latest("sequence")


@pytest.fixture
def api_headers(production: Environment, now: datetime) -> dict[str, str]:
    """What a script with an admin key for the shop's production sends."""
    issued = issue_key(
        environment=production, kind="admin", name="Script", intent=Intent(SETTING_UP, at=now)
    )
    return {"Authorization": f"Bearer {issued.token}"}
