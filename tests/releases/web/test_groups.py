"""The page of a release group, how one comes to be, and the marks on other pages."""

import json

import pytest
from django.test import Client

from portal.access.models import Environment, User
from releases.core.models import Release, ReleaseGroup
from tests.releases.web.looking import HTMX, plain, seen_of, send, text, words
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.grouping import (
    KEYS,
    a_group,
    a_member,
    look,
    members,
    pass_time,
    states,
    tell,
)
from tests.support.releasing import PLAN, a_release, routed_by_flag

pytestmark = pytest.mark.django_db
NEW = "/p/shop/release-groups/new"


@pytest.fixture
def group(development: Environment, alice: User) -> ReleaseGroup:
    made = a_group(development, alice)
    look(made)
    return made


def page_of(group: ReleaseGroup, more: str = "") -> str:
    return f"/p/shop/release-groups/{group.pk}/{more}"


def test_the_page__shows_each_member_and_who_lags_as_it_happens(
    group: ReleaseGroup, bob_client: Client
) -> None:
    first = bob_client.get(page_of(group)).content.decode()
    page = words(first)
    assert "checkout running" in page
    for key in KEYS:
        assert f"{key} 2.0" in page
    seen = page_of(group, f"?seen={seen_of(first)}")
    assert bob_client.get(seen, headers=HTMX).status_code == 204
    pass_time(group, 61, only=0)
    look(group)
    now = plain(bob_client.get(seen, headers=HTMX))
    cart = members(group)[1]
    assert f"Waits for release {cart.pk}, cart 2.0: it has not finished step 1 yet." in now
    assert "This needs the permission" in now  # bob may only look


def test_the_page__says_what_took_the_group_back_and_who_stays(
    development: Environment, alice: User, alice_client: Client
) -> None:
    at_once = PLAN | {"steps": [{"share": 100}], "watch_s": 0}
    group = a_group(
        development,
        alice,
        a_member(development, "shop", plan=at_once),
        a_member(development, "cart"),
    )
    look(group)
    pass_time(group, 61)
    look(group)
    assert states(group) == ["succeeded", "running"]
    send(alice_client, f"/p/shop/releases/{members(group)[1].pk}/command/rollback")
    page = text(alice_client, page_of(group))
    assert "cart 2.0 failed, so the others go back." in page
    assert "shop 2.0 stays: its watch was over." in page
    assert "began to take back release group" in page


def test_a_member__leads_to_its_group_and_so_does_its_row_on_the_board(
    group: ReleaseGroup, bob_client: Client
) -> None:
    board = bob_client.get("/p/shop/releases/").content.decode()
    assert "in the group checkout" in words(board)
    assert f'href="{page_of(group)}"' in board
    page = bob_client.get(f"/p/shop/releases/{members(group)[0].pk}/").content.decode()
    assert "Moves in step with its group “checkout”" in words(page)
    assert f'href="{page_of(group)}"' in page
    assert "It moves with its group “checkout”: promote the group." in words(page)


def test_commands__ask_in_a_dialog_and_tell_all(group: ReleaseGroup, alice_client: Client) -> None:
    dialog = plain(alice_client.get(page_of(group, "command/rollback"), headers=HTMX))
    assert "Roll back: checkout" in dialog
    assert "mail 2.0" in dialog
    done = send(alice_client, page_of(group, "command/pause"), reason="lunch")
    assert "Done." in plain(done)
    assert states(group) == ["paused"] * 3
    send(alice_client, page_of(group, "command/resume"))
    send(alice_client, page_of(group, "command/rollback"), reason="blank pages")
    assert states(group) == ["rolled_back"] * 3
    assert "Taken back by alice: blank pages" in text(alice_client, page_of(group))
    none = plain(alice_client.get(page_of(group, "command/promote"), headers=HTMX))
    assert "The group goes back already, or has." in none
    assert alice_client.get(page_of(group, "command/undo")).status_code == 404


def test_who_may_not__is_told_why_and_changes_nothing(
    group: ReleaseGroup, bob_client: Client
) -> None:
    dialog = plain(bob_client.get(page_of(group, "command/rollback"), headers=HTMX))
    assert "This needs the permission" in dialog
    assert send(bob_client, page_of(group, "command/rollback")).status_code == 403
    assert states(group) == ["running"] * 3


def test_the_start__in_production_is_confirmed_by_its_name_and_asks_where_others_agree(
    production: Environment, alice: User, alice_client: Client
) -> None:
    group = a_group(production, alice, start=False)
    start = page_of(group, "command/start")
    assert "Type production to confirm" in plain(alice_client.get(start, headers=HTMX))
    refused = send(alice_client, start)
    assert "That is not production" in plain(refused, 422)
    set_policy(production, **TWO_ROLES)
    assert "Send for approval" in plain(alice_client.get(start, headers=HTMX))
    assert "3 members need approval first." in plain(send(alice_client, start))
    assert "Waiting for approval" in text(alice_client, page_of(group))


def test_a_new_group__is_made_of_planned_releases_in_the_order_given(
    development: Environment, alice: User, alice_client: Client
) -> None:
    rows = [
        a_release(routed_by_flag(development, key, checks=()), development, alice, start=False)
        for key in KEYS
    ]
    form = text(alice_client, NEW)
    assert "shop 2.0" in form
    first, last = (f"position-{rows[number].pk}" for number in (2, 0))
    made = send(alice_client, NEW, name="one checkout", **{first: "1", last: "2"})
    assert made.status_code == 204
    group = ReleaseGroup.objects.get()
    assert [one.pk for one in members(group)] == [rows[2].pk, rows[0].pk]
    assert "mail 2.0" in text(alice_client, made["HX-Redirect"])
    assert "shop 2.0" not in text(alice_client, NEW)  # it is in a group by now
    assert "cart 2.0" in text(alice_client, NEW)


def test_a_new_group__as_a_document__names_what_is_wrong_and_keeps_what_was_typed(
    development: Environment, alice_client: Client
) -> None:
    good, bad = a_member(development, "shop"), a_member(development, "cart")
    bad["artefact"] = {"version": "a b", "digest": "x"}
    sent = json.dumps([good, bad])
    refused = send(alice_client, NEW, name="both", document=sent)
    page = plain(refused, 422)
    assert "members[1].artefact.version" in page
    assert "members[1].artefact.digest" in page
    assert sent.replace('"', "&quot;") in refused.content.decode()
    for fields in ({"name": "x", "document": "{"}, {"name": "", "document": sent}, {"name": "x"}):
        assert send(alice_client, NEW, **fields).status_code == 422
    assert not ReleaseGroup.objects.exists()
    assert not Release.objects.exists()
    one = json.dumps([good, {**bad, "artefact": good["artefact"]}])
    assert send(alice_client, NEW, name="both", document=one).status_code == 204


def test_a_group__with_a_planned_member_that_lags__says_so_on_its_row(
    development: Environment, alice: User, alice_client: Client
) -> None:
    group = a_group(development, alice, start=False)
    send(alice_client, f"/p/shop/releases/{members(group)[0].pk}/command/start")
    look(group)
    page = text(alice_client, page_of(group))
    assert "cart 2.0: nobody has started it. 1 other lags as well." in page
    tell(group, "abort", alice)
    assert "checkout aborted" in text(alice_client, page_of(group))
