"""The page of one release: what it says, what it offers, and that it moves as the release does."""

from datetime import timedelta

import pytest
from django.test import Client

from portal.access.models import Environment, Project, User
from portal.approvals.errors import Waiting
from portal.lib import clock
from portal.lib.journal import Intent
from releases.core import commands
from releases.core.command_rules import COMMANDS
from releases.core.models import Release, State
from releases.web.release_view import ReleaseView
from tests.releases.web.looking import HTMX, plain, seen_of, send, text, words
from tests.support import seeded_releases
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.people import acting, client_of, create_person, give_role
from tests.support.releasing import (
    PLAN,
    a_release,
    fresh,
    let_pass,
    outcomes,
    routed_by_flag,
    tick,
    to_everybody,
)

GATED = PLAN | {"steps": [{"share": 5, "soak_s": 60, "gate": True}, {"share": 100}]}


@pytest.fixture
def canary(production: Environment, alice: User) -> Release:
    """Started, at 5 %."""
    return a_release(routed_by_flag(production), production, alice)


@pytest.fixture
def on_call(shop: Project) -> Client:
    """May roll back, and deploy nothing."""
    erin = create_person("erin")
    give_role(shop, erin, "on_call_engineer")
    return client_of(erin)


def page_of(release: Release, more: str = "") -> str:
    return f"/p/shop/releases/{release.pk}/{more}"


def test_a_release__moves__is_new_on_the_page_and_otherwise_not_drawn(
    canary: Release, bob_client: Client
) -> None:
    first = bob_client.get(page_of(canary)).content.decode()
    assert "checkout 2.0" in words(first)
    assert 'hx-trigger="every 1s"' in first
    again = bob_client.get(page_of(canary, f"?seen={seen_of(first)}"), headers=HTMX)
    assert again.status_code == 204
    outcomes(canary, 500, errors=3)
    tick(canary)
    moved = plain(bob_client.get(page_of(canary, f"?seen={seen_of(first)}"), headers=HTMX))
    assert "0.6 % errors, 3 of 500: good." in moved
    assert "<html" not in moved


def test_the_page__at_a_step__says_shares_as_told_and_what_comes_next(
    canary: Release, bob_client: Client
) -> None:
    page = text(bob_client, page_of(canary))
    assert "2.0 new 5 %" in page
    assert "baseline 5 %" in page
    assert "Next step, 50 %, if its checks pass, in" in page
    assert "by alice" in page
    Release.objects.update(entered_at=clock.now() - timedelta(minutes=2))
    page = text(bob_client, page_of(canary))
    assert "Next step, 50 %, if its checks pass." in page  # no time that is over
    assert "Reason: new checkout" in page


def test_a_check__without_data_after_the_soak__holds_and_says_what_would_end_it(
    canary: Release, bob_client: Client
) -> None:
    held = let_pass(canary, 61)
    assert held.state == State.HELD
    page = text(bob_client, page_of(canary))
    assert "Why it does not continue" in page
    assert "needs 100 more requests before it can be judged" in page
    assert "Next step" not in page


def test_a_release_that_goes_back__says_why_and_that_nothing_can_be_told_to_it(
    production: Environment, bob_client: Client
) -> None:
    going = seeded_releases.a_release(production, State.ROLLING_BACK, clock.now())
    page, board = text(bob_client, page_of(going)), text(bob_client, "/p/shop/releases/")
    why = "Being rolled back by the check “error_rate”: 12.4 % errors, 522 of 4210. Allowed: "
    assert why in page
    assert why in board
    assert "Commands It is rolling back." in page


def test_the_start__of_a_release_to_cohorts__says_who_gets_it_first(
    production: Environment, alice_client: Client
) -> None:
    planned = seeded_releases.a_release(production, State.PLANNED, clock.now())
    dialog = plain(alice_client.get(page_of(planned, "command/start"), headers=HTMX))
    assert "1.4.2: from 0 % to canary cohorts." in dialog


def test_roll_back__on_call_engineer__ends_it_with_a_reason_and_promotes_nothing(
    canary: Release, on_call: Client
) -> None:
    page = on_call.get(page_of(canary)).content.decode()
    assert 'id="command-promote" disabled aria-describedby="why-promote"' in " ".join(page.split())
    assert "This needs the permission “deploy releases”" in words(page)
    refused = send(on_call, page_of(canary, "command/promote"), typed="production")
    assert refused.status_code == 403
    dialog = plain(on_call.get(page_of(canary, "command/rollback"), headers=HTMX))
    assert "2.0: from 5 % to 0 %." in dialog
    done = send(on_call, page_of(canary, "command/rollback"), reason="Customers complain")
    assert "Rolled back by erin: Customers complain" in plain(done)
    assert fresh(canary).because["reason"] == "Customers complain"


def test_undo__after_the_watch__leads_to_the_release_of_the_version_before(
    production: Environment, alice: User, alice_client: Client
) -> None:
    service = routed_by_flag(production, checks=())
    _first, second = [
        to_everybody(a_release(service, production, alice, version=version), alice)
        for version in ("2.0", "3.0")
    ]
    undo = page_of(second, "command/undo")
    assert "It is still watched" in plain(alice_client.get(undo, headers=HTMX))
    let_pass(second, 3600)
    assert "2.0: from 0 % to 100 %." in plain(alice_client.get(undo, headers=HTMX))
    done = send(alice_client, undo, typed="production", reason="orders are lost")
    third = second.undone.get()
    assert done.headers["HX-Redirect"] == page_of(third)
    assert f"Instead of the version of release {second.pk}" in text(alice_client, page_of(third))
    before = f"Release {third.pk} brings back the version before"
    assert before in text(alice_client, page_of(second))


def test_undo__that_has_not_started__is_not_said_to_have_brought_anything_back(
    production: Environment, alice: User, alice_client: Client
) -> None:
    service = routed_by_flag(production, checks=())
    _first, second = [
        let_pass(to_everybody(a_release(service, production, alice, version=version), alice), 3600)
        for version in ("2.0", "3.0")
    ]
    set_policy(production, required_approvals=1)
    with pytest.raises(Waiting):
        commands.undo(release=second, intent=Intent(acting(alice), "orders are lost"))
    third = second.undone.get()
    planned = f"Release {third.pk} is planned to bring back the version before"
    assert planned in text(alice_client, page_of(second))
    commands.abort(release=third, intent=Intent(acting(alice)))
    assert "bring back the version" not in text(alice_client, page_of(second))


def test_promote__in_production__takes_the_name_of_the_environment(
    canary: Release, alice_client: Client
) -> None:
    wrong = send(alice_client, page_of(canary, "command/promote"), typed="staging")
    assert "That is not production" in plain(wrong, 422)
    assert fresh(canary).step == 0
    done = send(alice_client, page_of(canary, "command/promote"), typed="production")
    assert "2.0 new 50 %" in plain(done)


def test_promote_fully__without_a_reason__is_asked_for_one(
    canary: Release, alice_client: Client
) -> None:
    address, fields = page_of(canary, "command/promote_fully"), {"typed": "production"}
    assert "Say why" in plain(send(alice_client, address, **fields), 422)
    assert fresh(canary).step == 0
    send(alice_client, address, **fields, reason="All is well")
    assert fresh(canary).step == 2


def test_a_failing_check__is_dismissed__by_choosing_it_with_a_reason(
    production: Environment, alice: User, alice_client: Client
) -> None:
    check = {"key": "errors", "kind": "error_rate", "threshold": 5, "role": "signal"}
    service = routed_by_flag(production, checks=(check,))
    release = a_release(service, production, alice)
    outcomes(release, 200, errors=30)
    tick(release)
    address = page_of(release, "command/dismiss")
    assert "errors: 15 %" in plain(alice_client.get(address, headers=HTMX))
    send(alice_client, address, check="errors", reason="A known bug")
    assert fresh(release).checks["errors"]["dismissed"] is True
    assert "failed, set aside" in text(alice_client, page_of(release))


def test_start__where_a_policy_stands__sends_it_for_approval(
    production: Environment, alice: User, alice_client: Client
) -> None:
    release = a_release(routed_by_flag(production), production, alice, start=False)
    set_policy(production, **TWO_ROLES)
    assert "Send for approval" in plain(
        alice_client.get(page_of(release, "command/start"), headers=HTMX)
    )
    sent = send(alice_client, page_of(release, "command/start"))
    assert sent.headers["HX-Redirect"].startswith("/p/shop/changes/")
    page = text(alice_client, page_of(release))
    assert "Waiting for approval: Release checkout 2.0 in Production" in page
    assert "Planned. It waits for approval; nothing is moved before." in page
    request = text(alice_client, sent.headers["HX-Redirect"])
    assert "5 %, 50 %, 100 % of the users, each step watched by 1 check." in request


def test_every_command__has_a_button_or_a_reason_and_a_dialog(
    canary: Release, alice_client: Client
) -> None:
    page = alice_client.get(page_of(canary)).content.decode()
    for name in COMMANDS:
        assert f'id="command-{name}"' in page
        assert alice_client.get(page_of(canary, f"command/{name}"), headers=HTMX).status_code == 200
    assert alice_client.get(page_of(canary, "command/explode")).status_code == 404


def test_a_note__is_kept_and_an_empty_one_is_not(canary: Release, bob_client: Client) -> None:
    empty = send(bob_client, page_of(canary, "note"), text="  ")
    assert "Write something first." in plain(empty, 422)
    said = send(bob_client, page_of(canary, "note"), text="<b>I look</b> at the graphs")
    assert "<b>I look</b> at the graphs" in plain(said)
    assert "&lt;b&gt;" in said.content.decode()


def test_the_charts__are_drawn_from_both_versions_with_thresholds_and_steps(
    canary: Release, bob_client: Client
) -> None:
    outcomes(canary, 200, errors=4)
    found = bob_client.get(page_of(canary, "measured")).json()
    new = {"name": "2.0 (new)", "colour": 0}
    baseline = {"name": "baseline", "colour": 2}
    assert found["lines"] == [baseline, new]  # nothing has succeeded before
    assert [one["title"] for one in found["charts"]] == [
        "Requests per minute",
        "Errors",
        "Response time, p95",
    ]
    errors = found["charts"][1]
    assert [one["value"] for one in errors["thresholds"]] == [5]
    assert errors["series"] == [[None], [2.0]]
    assert [mark["label"] for mark in found["marks"]] == ["5 %"]
    outcomes(canary, 200, errors=1, version="baseline")
    found = bob_client.get(page_of(canary, "measured")).json()
    assert found["charts"][1]["series"] == [[0.5], [2.0]]


def test_a_stranger__finds_no_release_nor_its_numbers(
    canary: Release, charlie_client: Client
) -> None:
    for more in ("", "measured", "story", "command/rollback"):
        assert charlie_client.get(page_of(canary, more)).status_code == 404
    assert send(charlie_client, page_of(canary, "command/rollback")).status_code == 404
    assert fresh(canary).state == State.RUNNING


def test_a_gate__is_reached__waits_for_people_and_says_so(
    production: Environment, alice: User, bob_client: Client
) -> None:
    release = a_release(routed_by_flag(production), production, alice, plan=GATED)
    assert "People decide about the next step in" in text(bob_client, page_of(release))
    outcomes(release, 500)
    assert let_pass(release, 61).state == State.WAITING
    page = text(bob_client, page_of(release))
    assert "What it waits for" in page
    assert "Promote it to continue." in page
    view = ReleaseView.of(fresh(release), clock.now())
    assert [row.place for row in view.steps] == ["now", "ahead"]


def test_a_release_in_production__proves_first_that_it_can_go_back_and_says_so(
    production: Environment, alice: User, alice_client: Client
) -> None:
    plan = {**PLAN, "proof_of_return": True}
    release = a_release(routed_by_flag(production), production, alice, plan=plan)
    assert "Rollback test: not done yet." in text(alice_client, page_of(release))
    tick(release)
    assert "Rollback test: running." in text(alice_client, page_of(release))
    Release.objects.filter(pk=release.pk).update(proof={"phase": "up_again", "took_s": 4.2})
    assert "Rollback test: passed, in 4 s." in text(alice_client, page_of(release))
