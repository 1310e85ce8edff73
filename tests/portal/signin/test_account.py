"""One's own account, its sessions, and the people page of site administrators."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.db.models import F
from django.test import Client

from portal.access.models import User
from portal.audit.models import AuditEvent
from tests.support.people import PASSWORD, client_of

pytestmark = pytest.mark.django_db


def signed_in(user: User, browser: str, address: str = "192.0.2.1") -> Client:
    client = Client(HTTP_USER_AGENT=browser, REMOTE_ADDR=address)
    given = {"username": user.username, "password": PASSWORD}
    assert client.post("/sign-in", given).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def events(name: str, kind: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(subject=name, event=kind).order_by("sequence"))


@pytest.fixture
def admin(db: None) -> Client:
    """A site administrator's browser."""
    user = User.objects.create_user("zoe", password=PASSWORD, is_superuser=True)
    return client_of(user)


def test_sessions__two_browsers__are_listed_and_this_one_is_marked(alice: User) -> None:
    signed_in(alice, "Chrome of the office", "198.51.100.7")
    page = signed_in(alice, "Firefox <b>at home").get("/account/").content.decode()
    assert "Chrome of the office" in page
    assert "198.51.100.7" in page
    assert "Firefox &lt;b&gt;at home" in page
    assert page.count("This one") == 1
    assert page.count(">End<") == 1


def test_sessions__ended__is_a_stranger_at_the_next_request(alice: User) -> None:
    here, there = signed_in(alice, "here"), signed_in(alice, "there")
    session = UserSession.objects.get(user_agent="there")
    assert here.post(f"/account/sessions/{session.pk}/end").status_code == 302
    assert is_in(here)
    assert not is_in(there)
    (event,) = events("alice", "session.revoked")
    assert event.actor == "alice"
    assert "192.0.2.1" in str(event.before)
    assert "there" in str(event.before)


def test_sessions__all_others__end(alice: User) -> None:
    others = [signed_in(alice, f"browser {n}") for n in range(3)]
    here = signed_in(alice, "here")
    assert here.post("/account/sessions/end-others").status_code == 302
    assert [is_in(each) for each in others] == [False] * 3
    assert is_in(here)
    assert len(events("alice", "session.revoked")) == 3


def test_sessions__of_somebody_else__cannot_be_ended(alice: User, bob: User) -> None:
    there = signed_in(bob, "there")
    session = UserSession.objects.get(user=bob)
    path = f"/account/sessions/{session.pk}/end"
    assert signed_in(alice, "here").post(path).status_code == 404
    assert is_in(there)


def test_sessions__changed_password__ends_the_others_and_keeps_this_one(alice: User) -> None:
    here, there = signed_in(alice, "here"), signed_in(alice, "there")
    new = "a-swallow-in-june"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/account/password", fields).status_code == 302
    assert is_in(here)
    assert not is_in(there)
    assert [each.user_agent for each in UserSession.objects.all()] == ["here"]
    (event,) = events("alice", "session.revoked")
    assert "there" in str(event.before)


def test_sessions__last_seen__follows_by_the_minute(alice: User) -> None:
    client = signed_in(alice, "here")
    UserSession.objects.update(last_seen_at=F("last_seen_at") - timedelta(minutes=5))
    before = UserSession.objects.get().last_seen_at
    client.get("/projects")
    assert UserSession.objects.get().last_seen_at - before > timedelta(minutes=4)


def test_sessions__of_a_deactivated_person__end_and_do_not_come_back(
    admin: Client, alice: User
) -> None:
    there = signed_in(alice, "there")
    assert admin.post("/people/alice/active", {"active": "0"}).status_code == 302
    assert not is_in(there)
    assert admin.post("/people/alice/active", {"active": "1"}).status_code == 302
    assert not is_in(there)
    done = AuditEvent.objects.filter(actor="zoe").order_by("sequence")
    assert list(done.values_list("event", flat=True)) == [
        "user.deactivated",
        "session.revoked",
        "user.activated",
    ]


def test_deactivated__right_password__is_answered_like_a_wrong_one(
    client: Client, alice: User
) -> None:
    User.objects.update(is_active=False)
    answer = client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 200
    assert "correct username and password" in answer.content.decode()


def test_email__own__is_kept_and_said_to_be_unchecked(alice_client: Client, alice: User) -> None:
    assert "It is not verified" in alice_client.get("/account/").content.decode()
    fields = {"email": " alice@example.com "}
    assert alice_client.post("/account/email", fields).status_code == 302
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    assert "alice@example.com" in str(events("alice", "user.email_changed")[0].after)


def test_email__no_address__is_refused_in_one_sentence_and_stays_typed(
    alice_client: Client, alice: User
) -> None:
    answer = alice_client.post("/account/email", {"email": "alice at home"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "This is not an e-mail address." in page
    assert 'value="alice at home"' in page
    alice.refresh_from_db()
    assert alice.email == ""


def test_email__cannot_be_used_to_sign_in(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(email="alice@example.com")
    client.post("/sign-in", {"username": "alice@example.com", "password": PASSWORD})
    assert not is_in(client)


def test_people__site_administrator__sees_everybody(admin: Client, alice: User, bob: User) -> None:
    page = admin.get("/people/").content.decode()
    assert 'href="/people/alice/"' in page
    assert 'href="/people/bob/"' in page


def test_people__site_administrator__ends_sessions_of_another(admin: Client, alice: User) -> None:
    there = signed_in(alice, "Chrome of the office")
    assert "Chrome of the office" in admin.get("/people/alice/").content.decode()
    assert admin.post("/people/alice/end-sessions").status_code == 302
    assert not is_in(there)
    assert events("alice", "session.revoked")[0].actor == "zoe"


def test_people__own_sessions__end_but_for_this_one(admin: Client) -> None:
    assert admin.post("/people/zoe/end-sessions").status_code == 302
    assert is_in(admin)


def test_people__oneself__cannot_be_deactivated(admin: Client) -> None:
    answer = admin.post("/people/zoe/active", {"active": "0"})
    assert answer.status_code == 400
    assert "You cannot deactivate yourself" in answer.content.decode()
    assert is_in(admin)


def test_people__unlock__is_recorded(admin: Client, alice: User) -> None:
    assert admin.post("/people/alice/unlock").status_code == 302
    assert events("alice", "user.unlocked")[0].actor == "zoe"


def test_people__nobody_of_that_name__is_not_found(admin: Client) -> None:
    assert admin.get("/people/nobody/").status_code == 404
    assert admin.get("/people/a%00b/").status_code == 404
