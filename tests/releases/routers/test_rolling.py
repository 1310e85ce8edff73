"""Rolling releases over a real haproxy and real programs: drained, replaced, tried, put back; what
fails is restored, and what is later stays as it was."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from portal.access.models import Environment, User
from portal.lib import outbound
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands, rolling as core_rolling
from releases.core.descriptions import hold_words
from releases.core.models import Release
from tests.support import haproxy
from tests.support.deploying import Deployer, deploying
from tests.support.haproxy import HaproxyServer, Load
from tests.support.people import acting
from tests.support.releasing import a_release, a_service, a_setup, fresh, let_pass, tick, until

INSTANCES = ("s1", "s2", "n1")
SMOKE = {
    "key": "smoke",
    "kind": "http",
    "threshold": 1,
    "url": "{{address}}/health",
    "smoke": True,
}
BATCHES: dict[str, Any] = {"size": 1, "soak_s": 30, "floor": 2}


@pytest.fixture
def deployer(settings: Settings, development: Environment) -> Iterator[Deployer]:
    settings.OUTBOUND_NETWORKS = outbound.EVERYWHERE
    with deploying(development, "search", *INSTANCES) as made:
        made.put("1.9", *INSTANCES)
        yield made


@pytest.fixture
def edge(settings: Settings, deployer: Deployer) -> Iterator[HaproxyServer]:
    """A haproxy by our sample, with the deployer's programs as the servers of a backend."""
    if not haproxy.find():
        pytest.skip("haproxy is not installed")
    servers = {haproxy.PLACES[one]: f"127.0.0.1:{deployer.ports[one]}" for one in INSTANCES}
    often = {" check weight 0": " check inter 100", " check\n": " check inter 100\n"}
    with haproxy.running(**servers, **often) as server:
        settings.HAPROXY = {"edge": server.socket}
        yield server


@pytest.fixture
def rolling(deployer: Deployer, edge: HaproxyServer, development: Environment) -> Service:
    service = a_service(development.project, "search")
    a_setup(
        service,
        development,
        router={"kind": "haproxy", "haproxy": ["edge"], "backend": "search"},
        deployer={**deployer.setup, "instances": [*INSTANCES]},
        checks=[SMOKE],
    )
    return service


def a_roll(
    service: Service, place: Environment, person: User, version: str = "2.0", **batches: Any
) -> Release:
    plan = {"batches": BATCHES | batches}
    return a_release(service, place, person, version=version, strategy="rolling", plan=plan)


def at_batch(number: int) -> Callable[[Release], bool]:
    return lambda now: now.step == number and now.entered_at is not None


def versions(deployer: Deployer) -> list[str]:
    return [deployer.version_at(name) for name in INSTANCES]


def test_batches__are_replaced_one_after_the_other_and_no_request_is_lost(
    rolling: Service,
    development: Environment,
    alice: User,
    deployer: Deployer,
    edge: HaproxyServer,
) -> None:
    with Load(edge.search) as load:
        release = until(a_roll(rolling, development, alice), at_batch(0))
        assert versions(deployer) == ["2.0", "1.9", "1.9"]
        assert release.told["share"] == 33_333
        let_pass(release, 31)
        until(release, at_batch(1))
        assert versions(deployer) == ["2.0", "2.0", "1.9"]
        let_pass(release, 31)
        done = until(release, lambda now: now.state == "succeeded")
        load.wait_for(50)
    assert versions(deployer) == ["2.0", "2.0", "2.0"]
    assert (done.told["share"], load.lost) == (100_000, 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that fails its smoke checks once has failed them."""
    monkeypatch.setattr(core_rolling, "TRIED", timedelta(seconds=-1))


@pytest.mark.usefixtures("impatient")
def test_the_first_batch_that_fails__is_restored_and_later_ones_are_not_touched(
    rolling: Service,
    development: Environment,
    alice: User,
    deployer: Deployer,
    edge: HaproxyServer,
) -> None:
    with Load(edge.search) as load:
        back = until(a_roll(rolling, development, alice, "2.0-sick"), lambda now: now.is_over)
        load.wait_for(20)
    assert (back.state, back.because["cause"]) == ("rolled_back", "deployment")
    assert "s1: status 500" in back.because["about"]
    # Nothing was released before, so the deployer brings back what ran there.
    assert versions(deployer) == ["1.9", "1.9", "1.9"]
    assert {edge.state_of(name) for name in INSTANCES} == {"UP"}
    assert load.lost == 0
    begun = {name.split(".")[1] for name in deployer.running.executions}
    assert begun == {"0"}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("earlier", "state", "runs"),
    [
        ("return", "rolled_back", ["1.9", "1.9", "1.9"]),
        ("keep", "failed", ["2.0-sick@s2", "1.9", "1.9"]),
    ],
)
def test_a_later_batch_that_fails__is_restored_and_earlier_ones_follow_the_plan(
    rolling: Service,
    development: Environment,
    alice: User,
    deployer: Deployer,
    earlier: str,
    state: str,
    runs: list[str],
) -> None:
    release = a_roll(rolling, development, alice, "2.0-sick@s2", earlier=earlier)
    let_pass(until(release, at_batch(0)), 31)
    over = until(release, lambda now: now.is_over)
    assert (over.state, versions(deployer)) == (state, runs)


def test_a_batch__waits_while_too_few_others_are_in_service(
    rolling: Service,
    development: Environment,
    alice: User,
    deployer: Deployer,
    edge: HaproxyServer,
) -> None:
    edge.say("set server search/n1 state maint")
    held = until(a_roll(rolling, development, alice), lambda now: now.state == "held")
    assert [hold_words(held, one) for one in held.holds] == [
        "Without s1 only 1 instance is in service, and the plan wants 2. "
        "The release continues when there are."
    ]
    assert versions(deployer) == ["1.9", "1.9", "1.9"]
    edge.say("set server search/n1 state ready")
    until(held, at_batch(0))


def test_an_instance_that_people_keep_out__is_not_put_back_by_a_release(
    rolling: Service,
    development: Environment,
    alice: User,
    deployer: Deployer,
    edge: HaproxyServer,
) -> None:
    edge.say("set server search/s1 state maint")
    release = until(a_roll(rolling, development, alice), at_batch(0))
    assert (versions(deployer)[0], edge.state_of("s1")) == ("2.0", "MAINT")
    commands.rollback(release=release, intent=Intent(acting(alice), "no"))
    until(release, lambda now: now.is_over)
    assert (versions(deployer)[0], edge.state_of("s1")) == ("1.9", "MAINT")


def test_a_rollback__returns_every_batch_that_was_touched_the_last_one_first(
    rolling: Service, development: Environment, alice: User, deployer: Deployer
) -> None:
    release = until(a_roll(rolling, development, alice), at_batch(0))
    let_pass(release, 31)
    until(release, at_batch(1))
    commands.rollback(release=fresh(release), intent=Intent(acting(alice), "slow"))
    back = until(release, lambda now: now.is_over)
    assert (back.state, back.told["share"]) == ("rolled_back", 0)
    assert versions(deployer) == ["1.9", "1.9", "1.9"]


def test_the_version_before__is_released_by_a_rolling_release_too(
    rolling: Service, development: Environment, alice: User, deployer: Deployer
) -> None:
    first = a_roll(rolling, development, alice, size=3, floor=0)
    until(first, lambda now: now.state == "succeeded")
    second = a_roll(rolling, development, alice, "3.0", size=3, floor=0)
    done = until(second, lambda now: now.state == "succeeded")
    assert versions(deployer) == ["3.0", "3.0", "3.0"]
    let_pass(done, 3601)
    undoing = commands.undo(release=fresh(done), intent=Intent(acting(alice), "worse"))
    assert undoing.parsed_plan.strategy == "rolling"
    until(undoing, lambda now: now.state == "succeeded")
    assert versions(deployer) == ["2.0", "2.0", "2.0"]


def test_without_a_router_that_knows_instances__the_deployer_does_all_of_it(
    development: Environment, alice: User, deployer: Deployer
) -> None:
    service = a_service(development.project, "search")
    setup = {**deployer.setup, "instances": [*INSTANCES]}
    a_setup(service, development, deployer=setup, checks=[SMOKE])
    release = until(a_roll(service, development, alice, size=2), at_batch(0))
    assert versions(deployer) == ["2.0", "2.0", "1.9"]
    assert [step.instances for step in release.parsed_plan.steps] == [("s1", "s2"), ("n1",)]


def test_people_who_deploy_by_hand__confirm_each_batch(
    development: Environment, alice: User
) -> None:
    service = a_service(development.project, "search")
    a_setup(service, development, deployer={"kind": "manual", "instances": [*INSTANCES]})
    release = tick(a_roll(service, development, alice))
    assert [hold_words(release, one) for one in release.holds] == [
        "Replace what s1 run by 2.0. Then confirm it here."
    ]
    there = commands.confirm(release=release, intent=Intent(acting(alice)))
    assert there.told["share"] == 33_333
    commands.rollback(release=there, intent=Intent(acting(alice), "wrong"))
    asked = tick(there)
    assert "Bring back what s1 and the batches before ran." in hold_words(asked, asked.holds[0])
    commands.confirm(release=asked, intent=Intent(acting(alice)))
    assert tick(asked).state == "rolled_back"


@pytest.mark.parametrize(
    ("setup", "document", "path", "said"),
    [
        ({}, {}, "strategy", "names no instances"),
        (
            {"deployer": {"kind": "manual", "instances": ["a", "b"]}},
            {"plan": {"steps": [{"work": "batch", "instances": ["a"]}]}},
            "plan.steps",
            "Have each instance in one batch: a, b.",
        ),
        (
            {"deployer": {"kind": "manual", "instances": ["a"]}},
            {"plan": {"cohorts": ["staff"]}},
            "plan.cohorts",
            "cannot choose who gets it",
        ),
        (
            {"deployer": {"kind": "manual", "instances": ["a"]}},
            {"plan": {"batches": {"size": 0}}},
            "plan.batches.size",
            "",
        ),
    ],
)
def test_a_rolling_plan_that_cannot_be__is_refused_where_it_is_wrong(
    development: Environment,
    alice: User,
    setup: dict[str, Any],
    document: dict[str, Any],
    path: str,
    said: str,
) -> None:
    service = a_service(development.project, "search")
    a_setup(service, development, **setup)
    with pytest.raises(Invalid) as refused:
        a_release(service, development, alice, strategy="rolling", **{"plan": {}, **document})
    assert said in refused.value.problems[path]
