"""Visits that are pinned to what they began with, though the share of a flag rises over them."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from flags.engine import compile_flag
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.services import apply_request
from portal.lib import clock
from portal.lib.errors import Conflict
from portal.lib.journal import Intent
from releases.catalogue.models import Service, ServiceSetup
from releases.core import commands
from releases.core.models import Release
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.freezing import end_freeze, freeze_now
from tests.support.people import acting
from tests.support.releasing import (
    PLAN,
    ROUTE,
    a_release,
    fresh,
    let_pass,
    outcomes,
    routed_by_flag,
    routing,
    routing_document,
    set_by_hand,
    tick,
)

PIN_S = 600
USERS = [f"u-{number}" for number in range(400)]


def pinning(place: Environment) -> Service:
    service = routed_by_flag(place)
    setup = service.setups.get()
    ServiceSetup.objects.update(router=setup.router | {"pin_s": PIN_S})
    return service


@pytest.fixture
def release(development: Environment, alice: User) -> Release:
    return a_release(pinning(development), development, alice)


def who_gets_it(release: Release, visit_at: float | None) -> set[str]:
    document = routing_document(release) | {"key": "f", "client_visible": False, "version": 1}
    flag = compile_flag(document | {"value_type": "string", "variants": ROUTE["variants"]})
    visit = {} if visit_at is None else {"aviary_visit_at": visit_at}
    users = ((user, flag.evaluate({"targetingKey": user, **visit})) for user in USERS)
    return {user for user, said in users if said.variant == "green"}


def pins(release: Release) -> list[str]:
    rules = routing_document(release)["rules"]
    return [rule["id"] for rule in rules if rule["id"].startswith("release-pin-")]


def time_goes_by(release: Release, seconds: int) -> Release:
    """As if the rules that pin visits had been set so much earlier."""
    flag = release.project.flags.get(key=release.router["flag"])
    row = flag.configurations.get(environment=release.environment)
    for rule in row.targeting["rules"]:
        if rule["id"].startswith("release-pin-"):
            start, _dash, end = rule["id"].rpartition("-")
            rule["id"] = f"{start}-{int(end) - seconds}"
            for part in rule["when"]["all"]:
                part["values"] = [part["values"][0] - seconds]
    row.save()
    now = fresh(release)
    now.told = now.told | {"pins": [end - seconds for end in now.told.get("pins", ())]}
    now.executions.update(reached_at=clock.database_now() - timedelta(seconds=seconds))
    now.save()
    return now


def to_half(release: Release) -> Release:
    outcomes(release, 500)
    return let_pass(release, 61)


def test_a_visit_that_began_before_a_step__keeps_what_it_had(release: Release) -> None:
    before = time.time() - 5
    assert len(pins(release)) == 1
    assert who_gets_it(release, before) == set()
    first = who_gets_it(release, None)
    assert 0 < len(first) < 60
    time_goes_by(release, 60)
    moved = to_half(release)
    assert (moved.step, len(pins(moved))) == (1, 2)
    assert who_gets_it(moved, before - 60) == set()
    assert who_gets_it(moved, before) == first
    assert first < who_gets_it(moved, None)
    assert who_gets_it(moved, time.time() + 30) == who_gets_it(moved, None)
    assert who_gets_it(moved, before - 2 * PIN_S) == who_gets_it(moved, None)


def test_who_had_the_new_version__keeps_it_through_every_step(release: Release) -> None:
    time_goes_by(release, 60)
    began = time.time() - 20  # after the first step, and before the second
    had = who_gets_it(release, began)
    assert had == who_gets_it(release, None)
    assert who_gets_it(to_half(release), began) == had


def test_after_its_time__nobody_is_pinned_any_more(release: Release) -> None:
    before = time.time() - 5
    assert tick(release).told["pins"]
    time_goes_by(release, PIN_S + 11)
    unpinned = tick(release)
    assert (pins(unpinned), unpinned.told.get("pins")) == ([], None)
    assert who_gets_it(unpinned, before) == who_gets_it(unpinned, None)
    assert (unpinned.state, unpinned.step) == ("running", 0)


def test_a_release_that_has_pinned__is_looked_at_when_that_ends(release: Release) -> None:
    outcomes(release, 500)
    time_goes_by(release, PIN_S)
    due = tick(release).due_at
    assert due is not None
    assert due.timestamp() <= fresh(release).told["pins"][0]


def test_a_rollback__ends_all_pins(release: Release, alice: User) -> None:
    moved = to_half(time_goes_by(release, 60))
    assert len(pins(moved)) == 2
    back = commands.rollback(release=moved, intent=Intent(acting(alice)))
    assert routing_document(back) == back.before
    assert pins(back) == []


def test_going_back_a_step__ends_all_pins(release: Release, alice: User) -> None:
    moved = to_half(release)
    commands.jump_back(release=moved, intent=Intent(acting(alice)), step=0)
    assert pins(moved) == []


def test_once_it_has_succeeded__pins_end_without_a_watch_too(
    development: Environment, alice: User
) -> None:
    plan = PLAN | {"watch_s": 0}
    release = a_release(pinning(development), development, alice, plan=plan)
    time_goes_by(release, 60)
    commands.promote_fully(release=release, intent=Intent(acting(alice), "good"))
    outcomes(release, 500)
    done = tick(release)
    assert (done.state, len(pins(done))) == ("succeeded", 2)
    assert who_gets_it(done, time.time() - 70) == set()
    assert done.due_at is not None
    time_goes_by(done, PIN_S + 11)
    over = tick(tick(done))
    assert (pins(over), routing(over), over.due_at) == ([], {"variant": "green"}, None)


def test_the_next_release__waits_until_nobody_is_pinned_to_where_it_would_go(
    development: Environment, alice: User
) -> None:
    release = a_release(pinning(development), development, alice)
    commands.promote_fully(release=release, intent=Intent(acting(alice), "good"))
    outcomes(release, 500)
    assert tick(release).state == "succeeded"
    assert release.service
    following = a_release(release.service, development, alice, version="3.0", start=False)
    with pytest.raises(Conflict, match="Visitors are pinned to the version before checkout"):
        commands.start(release=following, intent=Intent(acting(alice)))
    time_goes_by(release, PIN_S + 11)
    started = commands.start(release=following, intent=Intent(acting(alice)))
    assert (started.state, len(pins(started))) == ("running", 1)


def test_undoing_a_release__waits_for_no_pins_and_ends_them(
    development: Environment, alice: User
) -> None:
    service, plan = pinning(development), PLAN | {"watch_s": 0}
    done = None
    for version in ("2.0", "3.0"):
        release = a_release(service, development, alice, version=version, plan=plan)
        time_goes_by(release, 60)
        commands.promote_fully(release=release, intent=Intent(acting(alice), "good"))
        outcomes(release, 500)
        done = tick(release)
        assert done.state == "succeeded"
        if version == "2.0":
            time_goes_by(done, PIN_S + 11)
            tick(done)
    assert done is not None
    undoing = commands.undo(release=done, intent=Intent(acting(alice), "too slow"))
    assert fresh(undoing).state == "running"
    assert pins(undoing) == []
    assert who_gets_it(undoing, time.time() - 5) == set(USERS)


def test_what_others_moved__is_not_moved_for_the_end_of_pins(release: Release, alice: User) -> None:
    set_by_hand(release, alice, {"variant": "blue"})
    time_goes_by(release, PIN_S + 11)
    held = tick(release)
    assert [one["cause"] for one in held.holds] == ["foreign"]
    assert routing(held) == {"variant": "blue"}


def test_in_a_freeze__pins_stay_and_go_when_it_is_over(
    release: Release, development: Environment
) -> None:
    frozen = freeze_now(development)
    time_goes_by(release, PIN_S + 11)
    assert len(pins(tick(release))) == 1
    end_freeze(frozen)
    assert pins(tick(release)) == []


def test_a_blue_green_release__does_not_stop_what_visitors_are_pinned_to(
    development: Environment, alice: User
) -> None:
    steps: list[dict[str, Any]] = [
        {"work": "deploy"},
        {"share": 100, "soak_s": 0},
        {"work": "retire"},
    ]
    release = a_release(
        pinning(development), development, alice, strategy="blue_green", plan={"steps": steps}
    )
    switched = tick(tick(release))
    assert switched.present.share == 100_000
    outcomes(switched, 500)
    held = tick(let_pass(switched, 60))
    assert (held.step, held.state) == (1, "held")
    assert "Visitors are pinned to the version before checkout 2.0 until" in held.holds[0]["about"]
    time_goes_by(held, PIN_S + 11)
    tick(held)
    outcomes(held, 500)
    assert tick(held).step == 2
    assert pins(held) == []


def test_where_others_have_to_agree__pins_end_as_they_agreed_to(
    development: Environment, alice: User, erin: User, frank: User
) -> None:
    service = pinning(development)
    set_policy(development, **TWO_ROLES)
    with pytest.raises(Waiting) as error:
        a_release(service, development, alice)
    for person in (erin, frank):
        vote(waiting(error), person)
    request = waiting(error)
    if request.is_open:
        apply_request(request=request, intent=Intent(acting(alice)))
    release = Release.objects.get()
    assert len(pins(release)) == 1
    time_goes_by(release, PIN_S + 11)
    unpinned = tick(release)
    assert (unpinned.state, pins(unpinned)) == ("running", [])


def test_the_page__says_until_when_visits_are_pinned(
    release: Release, alice_client: Client
) -> None:
    page = f"/p/shop/releases/{release.pk}/"
    said = alice_client.get(page).content.decode()
    assert "Visits are pinned for" in said
    assert "Some are pinned until" in said
