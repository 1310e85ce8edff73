"""Signing in and out, and what an open session is worth."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from portal.access.models import Project, User
from tests.support.people import PASSWORD

SIGN_IN = "/sign-in"
pytestmark = pytest.mark.django_db


def sign_in(browser: Client, user: User, **fields: str) -> str:
    """Where the browser is sent after signing in."""
    given = {"username": user.username, "password": PASSWORD, **fields}
    response = browser.post(SIGN_IN, given)
    assert response.status_code == 302
    return response["Location"]


def test_signing_in_starts_a_new_session(client: Client, alice: User) -> None:
    """A session id that an attacker planted beforehand is worth nothing afterwards."""
    planted = client.session
    planted["planted"] = True
    planted.save()
    client.cookies["aviary_session"] = str(planted.session_key)
    sign_in(client, alice)
    assert client.session.session_key != planted.session_key
    stranger = Client()
    stranger.cookies["aviary_session"] = str(planted.session_key)
    assert stranger.get("/projects").status_code == 302


def test_a_wrong_password_signs_nobody_in(client: Client, alice: User) -> None:
    response = client.post(SIGN_IN, {"username": "alice", "password": "guess"})
    assert response.status_code == 200
    assert client.get("/projects").status_code == 302


def test_unknown_and_known_names_are_answered_alike(client: Client, alice: User) -> None:
    answers = []
    for name in ("alice", "nobody"):
        page = client.post(SIGN_IN, {"username": name, "password": "guess"}).content.decode()
        answers.append(re.sub(rf'{name}|value="[A-Za-z0-9]{{64}}"', "", page))
    assert len(answers[0]) > 1000
    assert "csrfmiddlewaretoken" in answers[0]
    assert re.sub(r'"X-CSRFToken": "\w+"|[0-9a-f]{16}', "", answers[0]) == re.sub(
        r'"X-CSRFToken": "\w+"|[0-9a-f]{16}', "", answers[1]
    )


@pytest.mark.parametrize("elsewhere", ["/p/shop/keys/", "/p/shop/flags/?search=a&kind=release"])
def test_who_wanted_a_page_is_sent_there(
    client: Client, alice: User, shop: Project, elsewhere: str
) -> None:
    asked = client.get(elsewhere)
    assert asked["Location"].startswith("/sign-in?next=/p/shop/")
    assert sign_in(client, alice, next=elsewhere) == elsewhere


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "\thttps://evil.example",
        "https://testserver@evil.example/",
        "/%0d%0aLocation: https://evil.example",
        "x" * 10_000,
    ],
)
def test_nobody_is_sent_to_another_site(client: Client, alice: User, elsewhere: str) -> None:
    location = sign_in(client, alice, next=elsewhere)
    assert "\n" not in location
    assert location == "/" or location.startswith(("/%0d%0aLocation:", "xxx"))


def test_signing_out_takes_a_post_and_ends_the_session(alice_client: Client, shop: Project) -> None:
    assert alice_client.get(reverse("sign-out")).status_code == 405
    assert alice_client.get("/p/shop/flags/").status_code == 200
    stolen = Client()
    stolen.cookies["aviary_session"] = alice_client.cookies["aviary_session"].value
    assert stolen.get("/p/shop/flags/").status_code == 200
    assert alice_client.post(reverse("sign-out")).status_code == 302
    for browser in (alice_client, stolen):
        assert browser.get("/p/shop/flags/").status_code == 302


def test_a_changed_password_ends_every_other_session(
    alice_client: Client, alice: User, shop: Project
) -> None:
    elsewhere = Client()
    sign_in(elsewhere, alice)
    changed = alice_client.post(
        reverse("password_change"),
        {
            "old_password": PASSWORD,
            "new_password1": "a-swallow-in-june",
            "new_password2": "a-swallow-in-june",
        },
    )
    assert changed.status_code == 302
    assert alice_client.get("/p/shop/flags/").status_code == 200
    assert elsewhere.get("/p/shop/flags/").status_code == 302


@pytest.mark.parametrize("password", ["short", "12345678901", "password123"])
def test_a_weak_password_is_refused(alice_client: Client, password: str) -> None:
    fields = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    response = alice_client.post(reverse("password_change"), fields)
    assert response.status_code == 200
    assert b"invalid-feedback" in response.content


def test_the_session_cookie_is_out_of_reach_of_scripts(client: Client, alice: User) -> None:
    sign_in(client, alice)
    for name in ("aviary_session", "csrftoken"):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"
