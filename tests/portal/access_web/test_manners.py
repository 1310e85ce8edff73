"""What every page has in common: CSRF, fragments, errors people can read.

The headers of all their answers are looked at where everybody asks for them: in test_matrix.
"""

from itertools import product

import pytest
from django.test import Client
from django.urls import get_resolver

from flags.models import Flag
from portal.access.models import Project, User
from tests.portal.access_web.table import CLOSED, TABLE
from tests.portal.access_web.world import (
    World,
    captured,
    header_problems,
    patterns,
    people as people,
    shop_key as shop_key,
    world as world,
)
from tests.support.people import client_of
from tests.support.rows import everything_kept

HTMX = {"HX-Request": "true"}
FRAGMENTS = ["key-list", "member-list", "flag-list", "flag-targeting", "flag-history"]
FRAGMENTS += ["change-request-list", "change-request", "emergency-list"]
FRAGMENTS += ["flag-settings", "flag-create", "environment-list", "group-list", "role-list"]
FRAGMENTS += ["invitation-list", "access-matrix", "access-person", "report", "recertification"]


@pytest.mark.parametrize("path", ["/no-such-page", "/p/none/flags/", "/p/shop/flag/a//b", "/%00"])
def test_errors_have_the_security_headers(alice_client: Client, shop: Project, path: str) -> None:
    response = alice_client.get(path)
    assert response.status_code == 404
    assert list(header_problems(response)) == []


def test_htmx_gets_the_fragment_and_everybody_else_the_page(world: World) -> None:
    browser = world.browsers["admin"]
    for address in map(world.address, FRAGMENTS):
        assert b"<!doctype html>" in browser.get(address).content, address
        fragment = browser.get(address, headers=HTMX).content.decode()
        assert "<!doctype" not in fragment, address
        assert "<html" not in fragment, address
        assert 'id="' in fragment, address


@pytest.mark.parametrize("visit", ["HX-Boosted", "HX-History-Restore-Request"])
def test_boosted_and_history_visits_get_the_page(world: World, visit: str) -> None:
    for address in map(world.address, FRAGMENTS):
        response = world.browsers["admin"].get(address, headers=HTMX | {visit: "true"})
        assert b"<!doctype html>" in response.content, address


def test_a_post_from_elsewhere_is_refused_and_changes_nothing(world: World, alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    before = everything_kept()
    forms = [n for n in TABLE if TABLE[n].post["project_admin"] not in (405, 404)]
    for name, headers in product(forms, ({}, HTMX, {"X-CSRFToken": "forged"})):
        if name == "sign-in":  # whoever is signed in is sent on
            continue
        response = browser.post(world.address(name), TABLE[name].fields, headers=headers)
        assert response.status_code == 403, name
        assert "Nothing was saved. Reload the page" in response.content.decode(), name
    assert everything_kept() == before


def test_a_post_from_the_page_itself_is_accepted(world: World, alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    browser.get(world.address("flag-list"))
    headers = {"X-CSRFToken": browser.cookies["csrftoken"].value}
    response = browser.post(world.address("flag-switch"), {"enabled": "1"}, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("person", ["stranger", "viewer"])
def test_errors_come_as_a_notice_where_htmx_asked(world: World, person: str) -> None:
    address = world.address("flag-switch")
    response = world.browsers[person].post(address, {"enabled": "1"}, headers=HTMX)
    assert response.status_code in (403, 404)
    assert response.headers["HX-Retarget"] == "#notices"
    assert response.headers["HX-Reswap"] == "beforeend"
    assert b"<html" not in response.content
    assert b'role="alert"' in response.content


def test_a_session_that_ended_says_so_instead_of_showing_the_sign_in_page_inside_the_page(
    world: World,
) -> None:
    response = world.browsers["anonymous"].get(world.address("flag-list"), headers=HTMX)
    assert response.status_code == 401
    assert response.headers["HX-Retarget"] == "#notices"
    assert b"signed out" in response.content
    assert b'href="/sign-in?next=' in response.content


STRANGE = {"project": "0", "environment": "0", "key": "a\0b/<b>", "selector": "a\0b"}
STRANGE |= {"group": "0", "role": "0", "permission": "a\0b", "invitation": "a\0b"}
STRANGE |= {"token": "a\0b", "report": "0", "grant_id": "0", "item_id": "0", "user_id": "0"}


def test_no_address_breaks_a_page(world: World) -> None:
    browser = world.browsers["admin"]
    places = [(name, place) for name in TABLE for place in STRANGE if place in captured(name)]
    for name, place in places:
        address = world.address(name, **{place: STRANGE[place]})
        for method in ("GET", "POST"):
            if TABLE[name].expected(method) != CLOSED:
                assert browser.generic(method, address).status_code in (404, 405), address


def test_every_pattern_belongs_to_a_page_with_a_name() -> None:
    assert all(pattern.name for pattern in patterns(get_resolver().url_patterns))


def test_someone_without_a_project_is_told_whom_to_ask(db: None, alice: User) -> None:
    page = client_of(alice).get("/projects").content.decode()
    assert "Ask a site administrator" in page


def test_who_has_one_project_lands_on_its_flags(
    alice_client: Client, shop: Project, new_checkout: Flag
) -> None:
    assert alice_client.get("/", follow=True).redirect_chain == [("/p/shop/flags/", 302)]
