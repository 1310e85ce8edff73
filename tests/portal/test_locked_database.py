"""A database that somebody else has locked: pages can be read, writes are refused in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.db import connection, connections
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from flags.models import Flag, FlagConfiguration
from portal.access import services
from portal.access.models import Environment, User
from portal.audit.models import AuditEvent
from portal.lib import patience
from portal.lib.journal import Intent
from portal.lib.patience import only_a_trace, shared_patience
from tests.support.people import PASSWORD, SETTING_UP, boolean_flag

SWITCH = "/p/shop/flag/switch/development/new-checkout"


@contextmanager
def locked() -> Iterator[None]:
    """As another writer that does not come to its end."""
    other = connections["default"].copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            if other.vendor == "postgresql":
                tables = (
                    "usersessions_usersession, access_project, access_environment, access_apikey"
                )
                cursor.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
            else:
                cursor.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.rollback()
        other.close()


@pytest.fixture
def short_wait(settings: Settings) -> Iterator[None]:
    usual_s, settings.DATABASE_WAIT_S = settings.DATABASE_WAIT_S, 0.4
    yield
    patience.set_limit(usual_s)


@pytest.fixture
def browser(alice: User, new_checkout: Flag, short_wait: None) -> Client:
    """Alice's, signed in a while ago, so that "last seen" is written with the next page."""
    client = Client(raise_request_exception=False)
    client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    UserSession.objects.update(last_seen_at=F("last_seen_at") - timedelta(minutes=5))
    return client


@pytest.mark.django_db(transaction=True)
def test_locked__page__is_read_and_switch_is_refused_with_nothing_half_done(
    browser: Client,
) -> None:
    events = AuditEvent.objects.count()
    with locked():
        assert browser.get("/p/shop/flags/").status_code == 200
        page = browser.post(SWITCH, {"enabled": "1"})
        fragment = browser.post(SWITCH, {"enabled": "1"}, headers={"HX-Request": "true"})
    for answer in (page, fragment):
        assert (answer.status_code, answer["Retry-After"]) == (503, "1")
        assert "The database is busy or away" in answer.content.decode()
    assert b"<html" in page.content
    assert b"<html" not in fragment.content
    assert AuditEvent.objects.count() == events
    assert not FlagConfiguration.objects.filter(enabled=True).exists()
    assert browser.post(SWITCH, {"enabled": "1"}).status_code == 200
    assert FlagConfiguration.objects.filter(enabled=True).count() == 1


@pytest.mark.django_db(transaction=True)
def test_locked__api__reads_and_refuses_writes(
    production: Environment, new_checkout: Flag, now: datetime, short_wait: None
) -> None:
    issued = services.issue_key(
        environment=production, kind="admin", name="CI", intent=Intent(SETTING_UP, at=now)
    )
    client = Client(headers={"Authorization": f"Bearer {issued.token}"})
    path = "/api/v1/projects/shop/flags"
    with locked():
        assert client.get(path).status_code == 200
        answer = client.post(path, boolean_flag("b"), content_type="application/json")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert Flag.objects.count() == 1


class Slow:
    """A clock, and statements that wait for a lock as long as they may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time, self.limit, self.waits, self.said = 0.0, 4.0, list[float](), 0
        monkeypatch.setattr(patience, "monotonic", lambda: self.time)
        monkeypatch.setattr(patience, "set_limit", self.set_limit)

    def set_limit(self, limit_s: float) -> None:
        self.limit = limit_s
        self.said += 1

    def wait(self, most_s: float) -> None:
        def execute(*_statement: object) -> None:
            self.waits.append(min(most_s, self.limit))
            self.time += self.waits[-1]

        patience_of_request = connection.execute_wrappers[-1]
        patience_of_request(execute, "UPDATE", None, False, {"connection": connection})


def test_waits__of_one_request__share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slow, wrappers = Slow(monkeypatch), list(connection.execute_wrappers)

    def view(_request: HttpRequest) -> HttpResponse:
        with only_a_trace("last seen"):
            slow.wait(9)
        slow.wait(0.01)
        slow.wait(3)
        slow.wait(9)
        slow.wait(9)
        return HttpResponse()

    shared_patience(view)(HttpRequest())
    assert slow.waits == pytest.approx([0.2, 0.01, 3, 0.8, 0.25])
    assert slow.limit == 4
    assert connection.execute_wrappers == wrappers


def test_limit__after_a_trace_that_waited_for_nobody__is_not_said_with_every_statement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow(monkeypatch)

    def view(_request: HttpRequest) -> HttpResponse:
        with only_a_trace("last seen"):
            slow.wait(0.01)
        for _statement in range(20):
            slow.wait(0.01)
        return HttpResponse()

    shared_patience(view)(HttpRequest())
    assert (slow.said, slow.limit) == (2, 4)
