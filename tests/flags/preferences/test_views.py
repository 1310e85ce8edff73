"""Stars and saved views, as a browser gets them."""

import pytest
from django.test import Client

from flags.models import Favourite, SavedView
from portal.access.models import User
from tests.support.desk import Desk
from tests.support.people import client_of

FLAGS = "/p/shop/flags/"


@pytest.fixture
def browser(desk: Desk, dana: User) -> Client:
    return client_of(dana)


def text_of(browser: Client, address: str) -> str:
    response = browser.get(address)
    assert response.status_code == 200
    return response.getvalue().decode()


def test_a_star__is_set_and_taken_back(browser: Client, desk: Desk) -> None:
    for favourite, pressed in (("1", "true"), ("1", "true"), ("0", "false")):
        response = browser.post(f"/p/shop/flag/favourite/{desk.flag.key}", {"favourite": favourite})
        assert f'aria-pressed="{pressed}"' in response.content.decode()
    assert not Favourite.objects.exists()


# Saved views


def test_the_default_view__is_what_the_flags_open_with(browser: Client) -> None:
    fields = {"name": "Mine", "query": "owner=%40me&search=&after=x", "default": "1"}
    browser.post(f"{FLAGS}views/new", fields)
    view = SavedView.objects.get()
    assert view.query == "owner=%40me"
    assert browser.get(FLAGS).headers["Location"] == f"?owner=%40me&view={view.pk}"
    assert browser.get(f"{FLAGS}?all=1").status_code == 200
    assert browser.get(f"{FLAGS}?search=").status_code == 200
    browser.post(f"{FLAGS}views/{view.pk}", fields | {"default": "", "name": "Ours"})
    assert browser.get(FLAGS).status_code == 200


def test_a_view_of_danas__alice_sees_it_once_it_is_shared(
    browser: Client, alice_client: Client
) -> None:
    browser.post(f"{FLAGS}views/new", {"name": "Checkout", "query": "search=checkout"})
    view = SavedView.objects.get()
    address = f"{FLAGS}views/{view.pk}"
    assert alice_client.get(address).status_code == 404
    assert alice_client.post(f"{address}/delete").status_code == 404
    browser.post(address, {"name": "Checkout", "query": view.query, "shared": "1"})
    assert "Checkout" in text_of(alice_client, f"{FLAGS}?all=1")


def test_a_view__bob_may_neither_share_nor_delete(browser: Client, desk: Desk, bob: User) -> None:
    assert "view" in text_of(browser, f"{FLAGS}views/new")
    theirs = client_of(bob)
    refused = theirs.post(f"{FLAGS}views/new", {"name": "B", "shared": "1"})
    assert refused.status_code == 403
    browser.post(f"{FLAGS}views/new", {"name": "A", "shared": "1"})
    view = SavedView.objects.get()
    assert theirs.post(f"{FLAGS}views/{view.pk}/delete").status_code == 403
    theirs.post(f"{FLAGS}views/{view.pk}", {"name": "Hijacked", "default": "1"})
    view.refresh_from_db()
    assert (view.name, view.default_for.get()) == ("A", bob)


def test_a_name_twice__is_said_at_the_name(browser: Client) -> None:
    assert browser.post(f"{FLAGS}views/new", {"name": "Twice"}).status_code == 302
    response = browser.post(f"{FLAGS}views/new", {"name": "Twice"})
    assert response.status_code == 422
    assert "You have a view of this name already." in response.content.decode()
