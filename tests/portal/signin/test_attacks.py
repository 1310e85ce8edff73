"""Attacks that others fell to, one test each."""

import re
from unittest.mock import Mock

import pytest
from allauth.mfa.totp.internal import auth as totp_of_allauth
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from portal.access.models import User
from tests.portal.access_web.table import TABLE
from tests.portal.access_web.world import (
    World,
    people as people,
    shop_key as shop_key,
    world as world,
)
from tests.portal.signin import test_two_factor
from tests.support import totp
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db
OURS = [
    name
    for name, row in TABLE.items()
    if name.startswith(("account", "mfa", "oidc", "two", "recovery", "session", "link", "person"))
    or name in ("sign-in", "sign-out", "sign-in-start-over", "password_change", "prove-again")
    if set(row.post.values()) != {405}
]


def planted(client: Client) -> str:
    """A session of nobody that an attacker knows the key of."""
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["aviary_session"] = str(session.session_key)
    return str(session.session_key)


def is_worthless(key: str) -> bool:
    stranger = Client()
    stranger.cookies["aviary_session"] = key
    return stranger.get("/account/").status_code == 302


def test_session_fixation__planted_key__is_worthless_after_signing_in(alice: User) -> None:
    client = Client()
    key = planted(client)
    client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert client.get("/account/").status_code == 200
    assert is_worthless(key)


def test_session_fixation__key_known_before_the_code__is_worthless_after_it(
    alice_client: Client,
) -> None:
    secret = test_two_factor.enrol(alice_client)
    client = test_two_factor.half_way()
    key = client.cookies["aviary_session"].value
    client.post("/sign-in/code", {"code": totp.next_code(secret)})
    assert client.get("/account/").status_code == 200
    assert is_worthless(key)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "https://testserver@evil.example/",
        "https://localhost/",
    ],
)
def test_open_redirect__after_the_code__leads_nowhere_else(
    alice_client: Client, elsewhere: str
) -> None:
    """``localhost`` is a host of ours in the settings, and still not where this page was."""
    secret = test_two_factor.enrol(alice_client)
    client = Client()
    given = {"username": "alice", "password": PASSWORD, "next": elsewhere}
    client.post(f"/sign-in?next={elsewhere}", given)
    assert client.post("/sign-in/code", {"code": totp.next_code(secret)})["Location"] == "/"


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/account/"])
def test_host_header__of_another_site__is_refused(client: Client, path: str) -> None:
    answer = client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert b"evil.example" not in answer.content


def test_enumeration__known_and_unknown_names__cost_one_hash_each(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing is nearly all of the time that an attempt takes."""
    User.objects.create_user("locked-away")  # has no usable password
    encode = Mock(side_effect=MD5PasswordHasher().encode)
    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)
    for tried, name in enumerate(("alice", "nobody", "locked-away"), start=1):
        Client().post("/sign-in", {"username": name, "password": "guess"})
        assert encode.call_count == tried, name


def test_totp_replay__after_a_restart__is_refused(alice_client: Client) -> None:
    secret = test_two_factor.enrol(alice_client)
    code = totp.next_code(secret)
    assert test_two_factor.half_way().post("/sign-in/code", {"code": code}).status_code == 302
    cache.clear()  # all that a process forgets when it ends
    assert test_two_factor.half_way().post("/sign-in/code", {"code": code}).status_code == 200


def test_codes__are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def compare(one: str, other: str) -> bool:
        seen.append((one, other))
        return False

    monkeypatch.setattr("secrets.compare_digest", compare)
    totp_of_allauth.validate_totp_code("JBSWY3DPEHPK3PXP", "123456")
    assert len(seen) == 3


@pytest.mark.parametrize("name", OURS)
def test_cross_site_post__every_form__is_refused(world: World, name: str, alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    origin = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for headers in ({}, origin):
        answer = browser.post(world.address(name), TABLE[name].fields, headers=headers)
        assert answer.status_code == 403, answer.content
        assert b"no longer valid" in answer.content


def test_cross_site_post__sign_in_itself__is_refused(alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    answer = browser.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 403


def test_sign_up__there_is_none(client: Client) -> None:
    for path in ("/signup", "/accounts/signup/", "/sign-up", "/account/signup", "/sign-in/signup"):
        assert client.get(path).status_code in (302, 404)
        assert client.post(path, {"username": "eve", "password1": "x" * 12}).status_code in (
            302,
            404,
        )
    assert not User.objects.filter(username="eve").exists()
    page = client.get(reverse("sign-in")).content.decode()
    assert not re.search(r"sign.?up|register|forgot", page, re.I)
