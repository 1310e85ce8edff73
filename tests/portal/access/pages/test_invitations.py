"""Joining by a link: made once, shown once, good once."""

import json
import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.test import Client

from portal.access import authority, services
from portal.access.models import Environment, Invitation, Project, User
from portal.access.permissions import Permission
from portal.access.tokens import Token, new_token
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.people import PASSWORD, SETTING_UP, create_person, give_role

LINKS = "/p/shop/invitations/"
UNKNOWN = "This invitation does not exist. Ask the person who sent it for a new link."
ERIN = {"username": "erin", "password": "a-swallow-in-june", "password_again": "a-swallow-in-june"}


def invite(browser: Client, role: str = "developer", environment: str = "production") -> str:
    """The path of a new link."""
    fields = {"role": role, "environment": environment, "note": "erin@example.com"}
    page = browser.post(f"{LINKS}new", fields).content.decode()
    found = re.search(rf'value="{re.escape(settings.PORTAL_URL)}(/invitation/[^"]+)"', page)
    assert found, page
    return found[1]


def join(browser: Client, path: str, **changes: str) -> HttpResponseBase:
    return browser.post(path, ERIN | changes)


def text_of(response: HttpResponseBase) -> str:
    assert isinstance(response, HttpResponse)
    return " ".join(response.content.decode().split())


@pytest.fixture
def link(alice_client: Client, shop: Project) -> str:
    return invite(alice_client)


def test_erin__joins_with_a_name_and_password_of_her_own(
    link: str, shop: Project, production: Environment, staging: Environment
) -> None:
    browser = Client()
    page = text_of(browser.get(link))
    assert "alice invites you as developer in Production." in page
    joined = join(browser, link)
    assert (joined.status_code, joined.headers["Location"]) == (302, "/p/shop/flags/")
    erin = User.objects.get(username="erin")
    held = authority.role_assignments_of(erin, shop)
    assert Permission.FLAG_EDIT in held.in_environment(production.pk)
    assert Permission.FLAG_EDIT not in held.in_environment(staging.pk)
    assert browser.get("/p/shop/flags/").status_code == 200
    assert Client().login(username="erin", password=ERIN["password"])


def test_the_link__is_shown_once_and_only_a_hash_is_kept(
    link: str, alice_client: Client, shop: Project
) -> None:
    secret = link.rpartition("/")[2].split("_", 3)[3]
    assert secret not in alice_client.get(LINKS).content.decode()
    rows = [*Invitation.objects.values(), *AuditEvent.objects.values()]
    assert secret not in json.dumps(rows, default=str)


def test_what_happened__is_recorded_with_who_did_it(
    link: str, alice_client: Client, shop: Project
) -> None:
    join(Client(), link)
    invite(alice_client)
    second = Invitation.objects.get(accepted_at=None)
    alice_client.post(f"{LINKS}{second.selector}/revoke")
    told = {
        (one.event, one.actor)
        for one in AuditEvent.objects.filter(project="shop", actor_kind__in=["user", "system"])
        if one.event.startswith(("invitation.", "grant.")) and one.actor != "tests"
    }
    assert told == {
        ("invitation.created", "alice"),
        ("invitation.accepted", "erin"),
        ("invitation.revoked", "alice"),
        ("grant.given", "invitation by alice"),
    }


def test_dana__who_is_signed_in__gets_the_role_on_top(
    link: str, dana_client: Client, shop: Project, dana: User
) -> None:
    assert "You are signed in as dana" in text_of(dana_client.get(link))
    assert dana.grants.count() == 1  # looking accepts nothing
    assert dana_client.post(link).status_code == 302
    assert set(dana.grants.values_list("role", "environment__key")) == {
        ("developer", None),
        ("developer", "production"),
    }


def test_a_used_link__says_so(link: str) -> None:
    join(Client(), link)
    browser = Client()
    for response in (browser.get(link), join(browser, link, username="frank")):
        assert response.status_code == 410
        assert "This invitation has been used. Ask for a new one." in text_of(response)
    assert not User.objects.filter(username="frank").exists()


def test_an_expired_link__says_so(link: str) -> None:
    Invitation.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    for response in (Client().get(link), join(Client(), link)):
        assert response.status_code == 410
        assert "This invitation has expired. Ask for a new one." in text_of(response)
    assert not User.objects.filter(username="erin").exists()


def test_it_expires_after_seven_days(link: str) -> None:
    invitation = Invitation.objects.get()
    assert invitation.expires_at - invitation.created_at == timedelta(days=7)


def unknown_links(link: str) -> list[str]:
    token = link.rpartition("/")[2]
    _product, kind, selector, secret = token.split("_", 3)
    forged = [
        str(new_token("invite")),
        str(Token(kind, selector, new_token("invite").secret)),
        str(Token("admin", selector, secret)),
        "nonsense",
        token[:-1],
        token + "A",
    ]
    return [f"/invitation/{one}" for one in forged]


def test_an_unknown_and_a_revoked_link__get_the_same_answer(
    link: str, alice_client: Client
) -> None:
    invitation = Invitation.objects.get()
    answers = {_answer(path) for path in unknown_links(link)}
    alice_client.post(f"{LINKS}{invitation.selector}/revoke")
    answers.add(_answer(link))
    assert len(answers) == 1
    assert UNKNOWN in answers.pop()
    assert join(Client(), link).status_code == 404
    assert not User.objects.filter(username="erin").exists()


def _answer(path: str) -> str:
    response = Client().get(path)
    assert response.status_code == 404
    return re.sub(r"<code>[0-9a-f]{16}</code>|csrf\S+|X-CSRFToken[^}]+", "", text_of(response))


def test_an_inviter_who_may_not_manage_members_any_more__lets_nobody_in(
    link: str, shop: Project, alice: User
) -> None:
    give_role(shop, create_person("gina"), "project_admin")
    services.set_role(project=shop, user=alice, role="viewer", intent=Intent(SETTING_UP))
    refused = join(Client(), link)
    assert refused.status_code == 410
    assert "alice may not invite people to Shop any more." in text_of(refused)
    assert not User.objects.filter(username="erin").exists()
    assert Invitation.objects.get().accepted_at is None


@pytest.mark.parametrize("fate", ["deactivated", "deleted"])
def test_an_inviter_who_is_gone__lets_nobody_in(link: str, alice: User, fate: str) -> None:
    if fate == "deleted":
        alice.delete()
    else:
        User.objects.filter(pk=alice.pk).update(is_active=False)
    assert join(Client(), link).status_code == 410
    assert not User.objects.filter(username="erin").exists()


def test_a_role_that_was_deleted_meanwhile__is_said(alice_client: Client, shop: Project) -> None:
    role = services.create_role(
        project=shop,
        key="shipper",
        name="Shipper",
        permissions=["flag.view"],
        intent=Intent(SETTING_UP),
    )
    link = invite(alice_client, role="shipper")
    services.delete_role(role=role, intent=Intent(SETTING_UP))
    refused = join(Client(), link)
    assert refused.status_code == 410
    assert "The role shipper does not exist any more." in text_of(refused)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": "12345678", "password_again": "12345678"}, "too common"),
        ({"password": "erin-erin", "password_again": "erin-erin", "username": "erinerin"}, ""),
        ({"password": "short", "password_again": "short"}, "too short"),
        ({"password_again": "another"}, "The two passwords are not the same."),
        ({"username": "alice"}, "already exists"),
        ({"username": ""}, "cannot be blank"),
        ({"username": "<b>"}, "Enter a valid username."),
    ],
)
def test_an_account_that_cannot_be__is_refused_and_the_link_stays_good(
    link: str, changes: dict[str, str], said: str
) -> None:
    people = User.objects.count()
    refused = join(Client(), link, **changes)
    assert refused.status_code == 422
    assert said in text_of(refused)
    assert ERIN["password"] not in text_of(refused)
    assert User.objects.count() == people
    assert join(Client(), link).status_code == 302


def test_session_fixation__the_session_of_before_is_not_the_one_of_after(link: str) -> None:
    browser = Client()
    session = browser.session
    session["planted"] = True
    session.save()
    planted = str(session.session_key)
    browser.cookies[settings.SESSION_COOKIE_NAME] = planted
    assert join(browser, link).status_code == 302
    assert browser.cookies[settings.SESSION_COOKIE_NAME].value != planted
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = planted
    assert stolen.get("/p/shop/flags/").status_code == 302


def test_open_redirect__nothing_in_the_request_chooses_where_one_lands(link: str) -> None:
    away = "https://evil.example/"
    joined = Client().post(f"{link}?next={away}", ERIN | {"next": away})
    assert joined.headers["Location"] == "/p/shop/flags/"


def test_mass_assignment__other_fields_of_the_form_change_nothing(link: str, shop: Project) -> None:
    extra = {"is_superuser": "1", "is_staff": "1", "role": "project_admin", "environment": ""}
    join(Client(), link, **extra)
    erin = User.objects.get(username="erin")
    assert (erin.is_superuser, erin.is_staff) == (False, False)
    assert list(erin.grants.values_list("role", "environment__key")) == [
        ("developer", "production")
    ]


def test_the_list__shows_states_and_keeps_notes_for_who_manages_members(
    link: str, alice_client: Client, bob_client: Client
) -> None:
    join(Client(), link)
    invite(alice_client)
    page = text_of(alice_client.get(LINKS))
    for word in ("accepted", "open", "erin@example.com"):
        assert word in page
    assert "erin@example.com" not in text_of(bob_client.get(LINKS))


@pytest.mark.parametrize("person", ["dana", "bob"])
def test_who_may_not_manage_members__makes_no_link(shop: Project, person: str) -> None:
    browser = Client()
    assert browser.login(username=person, password=PASSWORD)
    refused = browser.post(f"{LINKS}new", {"role": "project_admin", "environment": ""})
    assert refused.status_code == 403
    assert not Invitation.objects.exists()
