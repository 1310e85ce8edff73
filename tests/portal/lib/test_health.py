"""The web process without its database."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import Settings

from portal.access import services
from portal.access.models import Environment, Project
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP

pytestmark = pytest.mark.postgresql


@pytest.fixture
def broken_database(db: None) -> Iterator[None]:
    def refuse(*_arguments: object) -> None:
        raise DatabaseError("the database is away")

    with connection.execute_wrapper(refuse):
        yield


def test_ready__database_away__is_503(broken_database: None) -> None:
    response = Client().get("/ready")
    assert (response.status_code, response.json()) == (503, {"database": "unavailable"})


def test_health__database_away__still_answers_and_says_so(broken_database: None) -> None:
    response = Client().get("/health")
    assert response.status_code == 200
    assert response.json() == {"status": "unknown", "database": "unavailable"}


def test_health__nothing_to_publish__is_ok(db: None) -> None:
    assert Client().get("/health").json() == {
        "status": "ok",
        "database": "ok",
        "redis": "ok",
        "evaluators": {"reporting": 0, "environments_behind": 0, "behind_for_s": 0},
        "intake": [],
        "environments": [],
    }


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_names_of_environments__are_for_who_proves_to_be_allowed(
    path: str, production: Environment, garden: Project, settings: Settings
) -> None:
    settings.METRICS_TOKEN = b"a-metrics-token-only-for-these-tests"
    issued = services.issue_key(
        environment=production, kind="server", name="App", intent=Intent(SETTING_UP)
    )

    def seen(token: str) -> tuple[bool, bool]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        text = Client().get(path, headers=headers).content.decode()
        assert "behind" in text  # the sums are for everybody
        return '"shop"' in text, '"garden"' in text

    assert seen(settings.METRICS_TOKEN.decode()) == (True, True)
    assert seen(str(issued.token)) == (True, False)
    for nobody in ("", "x", "av_server_none", "ä"):
        assert seen(nobody) == (False, False)
