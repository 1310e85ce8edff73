"""Signing in and out, passwords and administrators: each leaves a record."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from portal.access.models import Project, User
from portal.audit.models import AuditEvent
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db


def events() -> list[tuple[str, str, str]]:
    """Event, actor and subject of every record about people, oldest first."""
    found = AuditEvent.objects.filter(subject_kind="user").order_by("sequence")
    return list(found.values_list("event", "actor", "subject"))


def run(command: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().strip()


def test_sign_in__right_password__is_recorded(client: Client, alice: User) -> None:
    answer = client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 302
    assert events()[-1] == ("user.signed_in", "alice", "alice")


def test_sign_in__wrong_password__starts_nothing_and_is_recorded(
    client: Client, alice: User
) -> None:
    answer = client.post("/sign-in", {"username": "alice", "password": "wrong"})
    assert answer.status_code == 200
    assert "_auth_user_id" not in client.session
    assert events()[-1] == ("user.sign_in_failed", "sign-in", "alice")


def test_sign_in__that_cannot_be_recorded__does_not_happen(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(entry: object) -> None:
        raise RuntimeError("the audit trail is full")

    monkeypatch.setattr("portal.lib.journal._recorder", fail)
    client.raise_request_exception = False
    answer = client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 500
    assert client.get("/projects").status_code == 302  # still a stranger


def test_sign_out__is_recorded(alice_client: Client) -> None:
    assert alice_client.post("/sign-out").status_code == 302
    assert events()[-1] == ("user.signed_out", "alice", "alice")


def test_change_password__own__is_recorded_and_keeps_this_session_only(
    alice: User, alice_client: Client, shop: Project
) -> None:
    elsewhere = Client()
    elsewhere.force_login(alice)
    answer = alice_client.post(
        "/account/password",
        {
            "old_password": PASSWORD,
            "new_password1": "blue-sky-over-there",
            "new_password2": "blue-sky-over-there",
        },
    )
    assert answer.status_code == 302
    assert events()[-1] == ("user.password_changed", "alice", "alice")
    assert alice_client.get("/projects").status_code == 200
    assert elsewhere.get("/projects").status_code == 302
    assert Client().login(username="alice", password="blue-sky-over-there")


def test_changepassword__someone_who_lost_theirs__prints_a_new_one_and_is_recorded(
    alice: User,
) -> None:
    password = run("changepassword", "alice")
    assert Client().login(username="alice", password=password)
    event, actor, subject = events()[-1]
    assert (event, subject) == ("user.password_changed", "alice")
    assert actor.startswith("manage.py changepassword (")


def test_changepassword__nobody_of_that_name__says_so(db: None) -> None:
    with pytest.raises(CommandError, match="there is no user nobody"):
        run("changepassword", "nobody")


def test_createsuperuser__new_name__sees_every_project_and_is_recorded(shop: Project) -> None:
    password = run("createsuperuser", "zoe")
    zoe = Client()
    assert zoe.login(username="zoe", password=password)
    assert zoe.get("/p/shop/flags/").status_code == 200
    assert ("user.created", "zoe") in [(event, subject) for event, _actor, subject in events()]


def test_createsuperuser__name_that_is_taken__is_refused_in_one_line(alice: User) -> None:
    with pytest.raises(CommandError, match="already exists"):
        run("createsuperuser", "alice")
