"""Commands in the middle of a deployment or a batch leave nobody on a version that is not there."""

from collections.abc import Sequence
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from portal.access.models import Environment, User
from portal.lib.errors import AviaryError, Invalid
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands
from releases.core.descriptions import hold_words
from releases.core.models import Release
from releases.deployers import Order, Progress, webhook
from releases.routers import Told, Wanted, haproxy as haproxy_router, servers
from tests.support.people import acting
from tests.support.releasing import (
    BY_FLAG,
    a_release,
    a_service,
    a_setup,
    let_pass,
    routed_by_flag,
    routing,
    tick,
)

pytestmark = pytest.mark.django_db
BLUE_GREEN: dict[str, Any] = {
    "steps": [{"work": "deploy", "soak_s": 60}, {"share": 100, "soak_s": 60}, {"work": "retire"}]
}
BY_MAP = {
    "kind": "haproxy",
    "haproxy": ["edge"],
    "places": ["blue", "green"],
    "map": "/m",
    "key": "shop",
}
INSTANCES = ("s1", "s2", "s3")


class World:
    """A deployer and a router that keep what they are told: versions by instance, who is drained,
    the share that the map gives to the new place."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, str]] = []
        self.runs = dict.fromkeys(INSTANCES, "1.9")
        self.drained: set[str] = set()
        self.share = 0
        self.answers = Progress(is_done=True)

    def deploy(self, _call: Any, order: Order, *, acts: bool) -> Any:
        if acts:
            self.orders.append((order.action, order.place))
        if self.answers.is_done:
            version = order.artefact["version"] if order.artefact else "1.9"
            self.runs |= dict.fromkeys(order.instances, version)
        return self.answers, {}

    def states(self, _router: Any, _names: Any = ()) -> dict[str, servers.Instance]:
        return {one: servers.Instance(one not in self.drained, False, True, 0) for one in INSTANCES}

    def drain(self, _router: Any, names: Sequence[str]) -> None:
        self.drained |= set(names)

    def ready(self, _router: Any, names: Sequence[str]) -> None:
        self.drained -= set(names)

    def look_first(self, _router: Any, _wanted: Wanted) -> Any:
        return Told(self.share), {"first": {"edge": "green/0/blue"}}

    def route(self, _router: Any, wanted: Wanted, *, acts: bool, **_rest: Any) -> Any:
        if acts:
            self.share = wanted.share
        return Told(self.share, wanted.cohorts), {}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> World:
    made = World()
    settings.HAPROXY = {"edge": "/nowhere"}
    monkeypatch.setattr(webhook, "ask", made.deploy)
    for name in ("states", "drain", "ready"):
        monkeypatch.setattr(servers, name, getattr(made, name))
    monkeypatch.setattr(haproxy_router, "look_first", made.look_first)
    monkeypatch.setattr(haproxy_router, "ask", made.route)
    return made


DEPLOYER: dict[str, Any] = {"kind": "webhook", "url": "http://deployer.example/"}


@pytest.fixture
def rolling(development: Environment, world: World) -> Service:
    assert world
    service = a_service(development.project, "search")
    router = {"kind": "haproxy", "haproxy": ["edge"], "backend": "search"}
    a_setup(service, development, router=router, deployer=DEPLOYER | {"instances": [*INSTANCES]})
    return service


def a_roll(service: Service, place: Environment, person: User, **rest: Any) -> Release:
    plan = {"batches": {"size": 1, "soak_s": 30, "floor": 1}, **rest.pop("plan", {})}
    return a_release(service, place, person, strategy="rolling", plan=plan, **rest)


def at_step(release: Release, number: int) -> Release:
    now = tick(release)
    for _again in range(20):
        if now.step == number and now.entered_at:
            return now
        now = let_pass(now, 31)
    raise AssertionError((now.state, now.step, now.holds, now.told, now.problem))


def ended(release: Release) -> Release:
    now = tick(release)
    for _again in range(20):
        if now.is_over:
            return now
        now = let_pass(now, 61)
    raise AssertionError((now.state, now.step, now.holds, now.told, now.problem))


def say(person: User, why: str = "go") -> Intent:
    return Intent(acting(person), why)


# Promoting


def test_promote_fully_of_a_blue_green__switches_before_the_old_version_is_stopped(
    development: Environment, alice: User, world: World
) -> None:
    """Promoted to everybody while it is deployed or tried, it enters the step that stops the old
    version: nobody was ever sent to the new one, and from there nobody may roll back."""
    service = routed_by_flag(development, checks=())
    router = BY_FLAG | {"flag": "checkout-route"}
    a_setup(service, development, router=router, deployer=DEPLOYER)
    release = tick(a_release(service, development, alice, strategy="blue_green", plan=BLUE_GREEN))
    commands.promote_fully(release=release, intent=say(alice))
    tick(release)
    stopped = [place for action, place in world.orders if action == "retire"]
    assert "blue" not in stopped or routing(release) == {"variant": "green"}


def test_promote_of_what_is_not_deployed_yet__sends_nobody_there(
    development: Environment, alice: User, world: World
) -> None:
    """A promotion leaves the step that deploys before the deployer has said that it is done (or
    after it failed): everybody is sent to a place where nothing runs, without a reason asked."""
    service = routed_by_flag(development, checks=())
    router = BY_FLAG | {"flag": "checkout-route"}
    a_setup(service, development, router=router, deployer=DEPLOYER)
    world.answers = Progress(detail="0 of 3 up")
    release = tick(a_release(service, development, alice, strategy="blue_green", plan=BLUE_GREEN))
    with pytest.raises(Invalid, match="not done yet"):
        commands.promote(release=release, intent=Intent(acting(alice)))
    assert routing(release) == {"variant": "blue"}


def test_promote_fully_of_a_rolling_release__replaces_every_instance(
    rolling: Service, development: Environment, alice: User, world: World
) -> None:
    """It jumps to the last batch: those between keep the old version, and the release says 100 %
    and succeeds."""
    release = at_step(a_roll(rolling, development, alice), 0)
    try:
        commands.promote_fully(release=release, intent=say(alice))
    except AviaryError:
        return
    ended(release)
    assert set(world.runs.values()) == {"2.0"}


def test_promote_in_the_middle_of_a_batch__leaves_no_instance_drained(
    rolling: Service, development: Environment, alice: User, world: World
) -> None:
    """The batch under way is left as it is: its instance stays drained when the release has
    succeeded."""
    world.answers = Progress(detail="working")
    release = tick(tick(a_roll(rolling, development, alice)))  # it is kept that it begins; it does
    assert world.drained == {"s1"}
    try:
        commands.promote(release=release, intent=say(alice))
    except AviaryError:
        return
    world.answers = Progress(is_done=True)
    ended(release)
    assert (world.drained, world.runs["s1"]) == (set(), "2.0")


# Going back


def test_a_batch_that_is_retried_and_rolled_back_at_once__is_restored(
    rolling: Service, development: Environment, alice: User, world: World
) -> None:
    """What the first attempt did is forgotten by the second: before its first tick (a freeze makes
    that long) a rollback takes the batch for untouched, and its instance stays drained for ever."""
    world.answers = Progress(failed="it does not start")
    plan = {"on": {"deployment": "hold"}}
    release = tick(tick(a_roll(rolling, development, alice, plan=plan)))
    assert world.drained == {"s1"}
    commands.retry(release=release, intent=say(alice))
    world.answers = Progress(is_done=True)
    commands.rollback(release=release, intent=say(alice))
    assert ended(release).state == "rolled_back"
    assert (world.drained, world.runs["s1"]) == (set(), "1.9")


def test_a_rolling_release_that_went_back_to_an_earlier_batch__rolls_back_all_it_touched(
    rolling: Service, development: Environment, alice: User, world: World
) -> None:
    """After jump_back only the batches up to its present step count as touched: the later ones keep
    the new version though the release is rolled back."""
    release = at_step(a_roll(rolling, development, alice), 1)
    assert world.runs["s2"] == "2.0"
    try:
        commands.jump_back(release=release, intent=say(alice), step=0)
    except AviaryError:
        return
    tick(release)
    commands.rollback(release=release, intent=say(alice))
    assert ended(release).state == "rolled_back"
    assert set(world.runs.values()) == {"1.9"}


# Deploying where people are


def test_jump_back_to_the_deploying_step__deploys_where_nobody_is(
    development: Environment, alice: User, world: World
) -> None:
    """The step wants 0 %, but its carrier is the deployer: the router keeps its share, so the place
    that is replaced (and tried) has users, while the page says 0 %."""
    service = a_service(development.project, "shop")
    a_setup(service, development, router=BY_MAP, deployer=DEPLOYER)
    plan = {
        "steps": [{"work": "deploy"}, {"share": 50, "soak_s": 60}, {"share": 100}],
        "proof_of_return": False,
    }
    release = at_step(a_release(service, development, alice, plan=plan), 1)
    assert (release.step, world.share) == (1, 50_000)
    before = len(world.orders)
    try:
        commands.jump_back(release=release, intent=say(alice), step=0)
    except AviaryError:
        return
    for _again in range(3):
        if len(world.orders) > before:
            break
        tick(release)
    assert (world.orders[before:], world.share) == ([("deploy", "green")], 0)


def test_a_rollback_while_a_batch_is_looked_at_first__restores_it(
    rolling: Service,
    development: Environment,
    alice: User,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a look does is not stored where a person's rollback, or a crash, comes in between."""
    release = tick(a_roll(rolling, development, alice))

    def drain(router: Any, names: Sequence[str]) -> None:
        world.drain(router, names)
        monkeypatch.setattr(servers, "drain", world.drain)
        commands.rollback(release=release, intent=say(alice))

    monkeypatch.setattr(servers, "drain", drain)
    tick(release)
    assert ended(release).state == "rolled_back"
    assert (world.drained, world.runs["s1"]) == (set(), "1.9")


def test_a_way_back_whose_deployer_fails_once__is_tried_again(
    rolling: Service,
    development: Environment,
    alice: User,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order that failed on the way back is given anew, under another name."""
    release = at_step(a_roll(rolling, development, alice), 0)
    commands.rollback(release=release, intent=say(alice))
    begun, world.orders = Progress(failed="out of disk"), []
    world.answers = begun
    tick(release)
    back = tick(release)
    assert (back.state, back.told["failed"]) == ("rolling_back", "out of disk")
    assert hold_words(back, back.holds[0]) == "The way back failed and is tried again: out of disk."

    def deploy(call: Any, order: Order, *, acts: bool) -> Any:
        if acts:  # mended since: a new start succeeds, a poll says what became of the old one
            world.answers = Progress(is_done=True)
        return World.deploy(world, call, order, acts=acts)

    monkeypatch.setattr(webhook, "ask", deploy)
    assert ended(release).state == "rolled_back"


def test_an_instance_that_people_have_drained__is_not_put_back_by_a_release(
    rolling: Service, development: Environment, alice: User, world: World
) -> None:
    """What people drained is not in maintenance, and yet theirs: nothing turns it on again."""
    world.drained = {"s1"}
    ended(a_roll(rolling, development, alice))
    assert "s1" in world.drained
