"""Blue-green, with real programs that a deployer starts and stops: deployed, tried, switched,
baked, and the old version stopped."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from portal.access.models import Environment, User
from portal.lib import outbound
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands, planning
from releases.core.descriptions import hold_words
from releases.core.models import Release
from tests.support.deploying import Deployer, deploying
from tests.support.people import acting
from tests.support.releasing import (
    BY_FLAG,
    DIGEST,
    ERRORS,
    a_release,
    a_service,
    a_setup,
    fresh,
    let_pass,
    outcomes,
    routed_by_flag,
    routing,
    set_by_hand,
    tick,
    until,
)

SMOKE = {
    "key": "smoke",
    "kind": "http",
    "threshold": 1,
    "url": "{{address}}/health",
    "period_s": 1,
    "smoke": True,
}
PLAN: dict[str, Any] = {
    "steps": [{"work": "deploy", "soak_s": 60}, {"share": 100, "soak_s": 60}, {"work": "retire"}]
}


@pytest.fixture
def place(settings: Settings, development: Environment) -> Iterator[Deployer]:
    settings.OUTBOUND_NETWORKS = outbound.EVERYWHERE
    with deploying(development, "checkout", "blue", "green") as made:
        yield made


@pytest.fixture
def colours(place: Deployer, development: Environment) -> Service:
    """A service of which 1.9 runs in the blue place, where everybody is."""
    service = routed_by_flag(development)
    router = BY_FLAG | {"flag": "checkout-route"}
    a_setup(service, development, router=router, checks=[ERRORS, SMOKE], deployer=place.setup)
    place.put("1.9", "blue")
    return service


def to_green(service: Service, place: Environment, person: User, **document: Any) -> Release:
    wanted = {"strategy": "blue_green", "plan": PLAN, **document}
    return a_release(service, place, person, **wanted)


def deployed(release: Release) -> bool:
    return release.entered_at is not None and release.step == 0


def test_blue_green__is_deployed_tried_switched_baked_and_the_old_version_stopped(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    release = to_green(colours, development, alice)
    there = until(release, deployed)
    assert (place.version_at("green"), place.version_at("blue")) == ("2.0", "1.9")
    assert routing(release) == {"variant": "blue"}  # nobody gets it yet
    assert until(there, lambda now: bool(now.checks)).checks["smoke"]["verdict"] == "passed"
    switched = until(let_pass(release, 61), lambda now: now.step == 1)
    assert routing(release) == {"variant": "green"}
    outcomes(switched, 200)
    assert set(tick(switched).checks) == {"errors"}  # it is past being tried
    gone = until(let_pass(release, 61), lambda now: now.state == "succeeded")
    assert (place.version_at("green"), place.version_at("blue")) == ("2.0", "")
    assert (gone.told["share"], gone.watch_until) == (100_000, None)


def test_a_rollback_while_the_old_version_is_stopped__is_refused_with_the_reason(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    switched = until(let_pass(until(to_green(colours, development, alice), deployed), 61), at_one)
    outcomes(switched, 200)
    retiring = commands.promote(release=switched, intent=Intent(acting(alice), "good enough"))
    assert retiring.step == 2
    for command in (commands.rollback, commands.abort):
        with pytest.raises(Invalid, match="old version is being stopped"):
            command(release=retiring, intent=Intent(acting(alice), "no"))
    until(retiring, lambda now: now.state == "succeeded")


def test_a_version_that_was_stopped__is_deployed_again_where_it_is_released_again(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    done = None
    for version in ("2.0", "3.0"):
        digest = "sha256:" + version[0] * 64
        artefact = {"version": version, "digest": digest}
        release = to_green(colours, development, alice, artefact=artefact)
        switched = until(let_pass(until(release, deployed), 61), at_one)
        outcomes(switched, 200)
        done = until(let_pass(switched, 61), lambda now: now.state == "succeeded")
    assert (place.version_at("blue"), place.version_at("green")) == ("3.0", "")
    assert done is not None
    back = commands.undo(release=done, intent=Intent(acting(alice), "worse"))
    there = until(back, at_one)
    outcomes(there, 200)
    assert until(there, lambda now: now.state == "succeeded").version == "2.0"
    assert (place.version_at("green"), routing(back)) == ("2.0", {"variant": "green"})


def at_one(release: Release) -> bool:
    return release.step == 1


def test_a_version_that_fails_its_smoke_check__is_taken_back_before_anybody_gets_it(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    release = to_green(colours, development, alice, version="2.0-sick")
    back = until(release, lambda now: now.is_over)
    assert (back.state, back.because["check"]) == ("rolled_back", "smoke")
    assert routing(release) == {"variant": "blue"}
    assert place.version_at("blue") == "1.9"


def test_a_version_that_does_not_start__fails_with_what_the_deployer_says(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    release = to_green(colours, development, alice, version="2.0-crashes")
    back = until(release, lambda now: now.is_over)
    assert (back.state, back.because["cause"]) == ("rolled_back", "deployment")
    assert "ended with status 3" in back.because["about"]


def test_a_deployment_that_fails__holds_where_the_plan_says_so_and_is_tried_again(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    plan = {**PLAN, "on": {"deployment": "hold"}}
    release = to_green(colours, development, alice, version="2.0-crashes", plan=plan)
    held = until(release, lambda now: now.state == "held")
    assert "ended with status 3" in hold_words(held, held.holds[0])
    again = commands.retry(release=held, intent=Intent(acting(alice)))
    assert (again.state, again.attempt) == ("running", 2)
    assert until(again, lambda now: now.state == "held").attempt == 2


def test_a_regression_after_the_switch__goes_back_by_one_switch_while_the_old_version_runs(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    release = until(to_green(colours, development, alice), deployed)
    switched = until(let_pass(release, 61), lambda now: now.step == 1)
    outcomes(switched, 200, errors=50)
    back = tick(switched)
    assert (back.state, back.because["check"]) == ("rolled_back", "errors")
    assert routing(release) == {"variant": "blue"}
    assert place.version_at("blue") == "1.9"


def test_a_gate_before_the_switch__waits_for_people(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    steps = [{**PLAN["steps"][0], "gate": True}, *PLAN["steps"][1:]]
    release = until(to_green(colours, development, alice, plan={"steps": steps}), deployed)
    waits = until(let_pass(release, 61), lambda now: now.state == "waiting")
    assert [one["cause"] for one in waits.holds] == ["gate"]
    assert routing(release) == {"variant": "blue"}


def test_a_rollback_while_it_is_deployed__ends_what_the_deployer_does(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    release = to_green(colours, development, alice)
    tick(release)
    commands.rollback(release=release, intent=Intent(acting(alice), "wrong version"))
    assert fresh(release).state == "rolled_back"
    (ended,) = release.terminations.all()
    assert ended.url == place.url


def test_a_flag_that_somebody_moves_while_it_is_deployed__holds_the_release(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    release = until(to_green(colours, development, alice), deployed)
    set_by_hand(release, alice, {"variant": "green"})
    held = tick(release)
    assert [one["cause"] for one in held.holds] == ["foreign"]


def test_a_canary_of_a_service_with_a_deployer__is_deployed_first(
    colours: Service, development: Environment, alice: User, place: Deployer
) -> None:
    release = until(a_release(colours, development, alice), deployed)
    assert place.version_at("green") == "2.0"
    assert routing(release) == {"variant": "blue"}
    assert until(release, lambda now: now.step == 1).told["share"] == 5000


def test_a_deployer_that_is_away__is_named_and_asked_again(
    development: Environment, alice: User, settings: Settings
) -> None:
    settings.OUTBOUND_NETWORKS = outbound.EVERYWHERE
    service = routed_by_flag(development)
    with deploying(development, "checkout", "green") as made:
        a_setup(
            service,
            development,
            router=BY_FLAG | {"flag": "checkout-route"},
            deployer=made.setup,
        )
        release = to_green(service, development, alice)
    held = tick(release)
    assert [one["cause"] for one in held.holds] == ["deployer_away"]


def test_a_deployer_that_is_a_person__is_asked_to_confirm(
    development: Environment, alice: User
) -> None:
    service = a_service(development.project)
    a_setup(service, development, deployer={"kind": "manual"})
    release = tick(to_green(service, development, alice))
    assert [hold_words(release, one) for one in release.holds] == [
        "Deploy 2.0 where nobody gets it yet. Then confirm it here."
    ]
    there = commands.confirm(release=release, intent=Intent(acting(alice)))
    assert there.entered_at is not None
    switch = until(let_pass(there, 61), lambda now: now.step == 1)
    switch = tick(switch)
    assert hold_words(switch, switch.holds[0]) == (
        "Set its share to 100 % where traffic is routed. Then confirm it here."
    )


@pytest.mark.parametrize(
    ("plan", "path", "said"),
    [
        ({"steps": [{"share": 100}, {"work": "deploy"}]}, "plan.steps[1].work", "first step"),
        ({"steps": [{"share": 50}, {"share": 100}]}, "plan.steps", "everybody at once"),
        ({"steps": [{"work": "retire"}, {"share": 100}]}, "plan.steps[0].work", "last step"),
        ({**PLAN, "watch_s": 60}, "plan.watch_s", "cannot come back"),
        ({"steps": [{"work": "copy"}]}, "plan.steps[0].work", "kind of step"),
        ({"batches": {"size": 2}}, "plan.batches", "Only a rolling release"),
    ],
)
def test_a_plan_that_cannot_be__is_refused_where_it_is_wrong(
    development: Environment, alice: User, plan: dict[str, Any], path: str, said: str
) -> None:
    service = a_service(development.project)
    a_setup(service, development)
    document = {
        "service": "checkout",
        "artefact": {"version": "2.0", "digest": DIGEST},
        "strategy": "blue_green",
        "plan": plan,
    }
    with pytest.raises(Invalid) as refused:
        planning.preview(project=service.project, environment=development, document=document)
    assert said in refused.value.problems[path]
