"""The step of tagged (synthetic) requests: before any share, judged by these requests alone."""

from typing import Any

import pytest

from flags.channel.telemetry import SYNTHETIC, TESTERS
from flags.engine import compile_flag
from flags.models import Flag
from portal.access.models import Environment, User
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.core import commands, planning
from releases.core.descriptions import hold_words
from releases.core.models import Release
from releases.telemetry.models import OutcomeBucket
from tests.support.people import acting
from tests.support.releasing import (
    ERRORS,
    PLAN,
    ROUTE,
    a_release,
    a_service,
    a_setup,
    let_pass,
    outcomes,
    roll_out,
    routed_by_flag,
    routing,
    routing_document,
    set_by_hand,
    tick,
)

TAGGED: dict[str, Any] = {"work": "synthetic", "soak_s": 60, "minimum_requests": 20}
FIRST_TAGGED = PLAN | {"steps": [TAGGED, *PLAN["steps"]], "checks": [ERRORS]}


def tagged(release: Release, requests: int, errors: int = 0) -> None:
    """Tagged requests that the new version has just answered."""
    OutcomeBucket.objects.create(
        environment=release.environment,
        about=SYNTHETIC if release.service_id else TESTERS,
        name=release.about.key,
        version=release.version,
        start=clock.database_now(),
        requests=requests,
        errors=errors,
    )


@pytest.fixture
def release(development: Environment, alice: User) -> Release:
    return a_release(routed_by_flag(development), development, alice, plan=FIRST_TAGGED)


def served(release: Release, **attributes: str) -> set[str | None]:
    document = routing_document(release) | {"key": "f", "client_visible": False, "version": 1}
    flag = compile_flag(document | {"value_type": "string", "variants": ROUTE["variants"]})
    users = ({"targetingKey": f"u-{number}", **attributes} for number in range(200))
    return {flag.evaluate(user).variant for user in users}


def test_tagged_requests__get_it_before_anybody_else_does(release: Release) -> None:
    assert (release.state, release.step) == ("running", 0)
    assert served(release) == {"blue"}
    assert served(release, aviary_tester=release.router["tester"]) == {"green"}
    assert served(release, aviary_tester="made up") == {"blue"}


def test_without_tagged_requests__it_is_held_whatever_users_report_and_says_what_it_needs(
    release: Release,
) -> None:
    outcomes(release, 500)
    held = let_pass(release, 61)
    assert (held.state, held.step) == ("held", 0)
    said = hold_words(held, held.holds[0])
    assert "“errors” needs 20 more tagged requests" in said
    tagged(held, 19)
    assert "needs 1 more tagged request;" in hold_words(tick(held), tick(held).holds[0])
    tagged(held, 1)
    moved = tick(held)
    assert (moved.step, routing(moved)["split"][0]["weight"]) == (1, 5000)


def test_failing_tagged_requests__take_it_back_before_anybody_had_it(release: Release) -> None:
    tagged(release, 100, errors=50)
    back = tick(release)
    assert (back.state, back.because["check"]) == ("rolled_back", "errors")
    assert routing_document(back) == back.before


def test_tagged_requests__count_at_no_other_step(release: Release) -> None:
    tagged(release, 100)
    moved = let_pass(release, 61)
    assert moved.step == 1
    tagged(moved, 500, errors=500)
    now = let_pass(moved, 61)
    assert (now.state, now.step, now.checks["errors"]["requests"]) == ("held", 1, 0)
    assert "more requests before" in hold_words(now, now.holds[0])


def test_a_flag_that_was_off__is_turned_on_for_tagged_requests_and_never_again(
    development: Environment, new_checkout: Flag, dana: User
) -> None:
    release = roll_out(new_checkout, development, dana, plan=FIRST_TAGGED)
    assert (routing_document(release)["enabled"], routing(release)) == (True, {"variant": "off"})
    tagged(release, 20)
    set_by_hand(release, dana, enabled=False)
    held = let_pass(release, 61)
    assert (held.step, [one["cause"] for one in held.holds]) == (0, ["foreign"])
    commands.promote_fully(release=held, intent=Intent(acting(dana), "now"))
    assert not routing_document(tick(held))["enabled"]


def test_the_rollback_test__is_at_the_first_share_and_turns_the_flag_on_again(
    development: Environment, new_checkout: Flag, dana: User
) -> None:
    plan = FIRST_TAGGED | {"proof_of_return": True}
    release = roll_out(new_checkout, development, dana, plan=plan)
    assert tick(release).proof == {}
    tagged(release, 20)
    moved = let_pass(release, 61)
    assert (moved.step, moved.proof) == (1, {})
    assert tick(moved).proof["phase"] == "back"
    assert not routing_document(moved)["enabled"]


@pytest.mark.parametrize(
    "router",
    [
        {"kind": "manual"},
        {"kind": "webhook", "url": "https://ci.example.com/"},
        {
            "kind": "haproxy",
            "haproxy": ["edge"],
            "places": ["blue", "green"],
            "backend": "search",
            "servers": {"blue": ["s1"], "green": ["n1"]},
        },
    ],
    ids=lambda router: router["kind"],
)
def test_a_router_that_knows_no_tags__refuses_such_a_plan(
    development: Environment, alice: User, router: dict[str, Any], settings: Any
) -> None:
    settings.HAPROXY = {"edge": "/nowhere"}
    service = a_service(development.project)
    a_setup(service, development, router=router, checks=[ERRORS])
    with pytest.raises(Invalid, match="Its router knows no tagged requests"):
        a_release(service, development, alice, plan=FIRST_TAGGED, start=False)


def test_the_preview__says_it_and_warns_where_nothing_counts_them(
    development: Environment, new_checkout: Flag
) -> None:
    plan = FIRST_TAGGED | {"checks": []}
    document = {"flag": "new-checkout", "variant": "on", "strategy": "feature_flag", "plan": plan}
    seen = planning.preview(project=development.project, environment=development, document=document)
    assert [one.name for one in seen.steps[:2]] == ["tagged requests", "5 %"]
    assert seen.remarks == ("No check counts tagged requests, so that step passes without any.",)
