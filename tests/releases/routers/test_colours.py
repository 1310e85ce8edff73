"""Blue-green over a real haproxy and real programs: one entry of the map sends everybody over, and
back."""

import json
import math
import time
from collections.abc import Callable, Iterator

import pytest
from pytest_django.fixtures import Settings

from portal.access.models import Environment, User
from portal.lib import outbound
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands
from releases.core.models import Release
from tests.support import haproxy
from tests.support.deploying import Deployer, deploying
from tests.support.haproxy import HaproxyServer, Load
from tests.support.people import acting
from tests.support.releasing import (
    a_release,
    a_service,
    a_setup,
    fresh,
    let_pass,
    outcomes,
    until,
)

PLACES = ("blue", "green", "base")
PLAN = {
    "steps": [{"work": "deploy", "soak_s": 30}, {"share": 100, "soak_s": 60}, {"work": "retire"}]
}
SMOKE = {
    "key": "smoke",
    "kind": "http",
    "threshold": 1,
    "url": "{{address}}/health",
    "period_s": 1,
    "smoke": True,
}


@pytest.fixture
def deployer(settings: Settings, development: Environment) -> Iterator[Deployer]:
    settings.OUTBOUND_NETWORKS = outbound.EVERYWHERE
    with deploying(development, "shop", *PLACES) as made:
        made.put("1.9", "blue")
        yield made


@pytest.fixture
def edge(settings: Settings, deployer: Deployer) -> Iterator[HaproxyServer]:
    """A haproxy by our sample, whose places are the deployer's."""
    if not haproxy.find():
        pytest.skip("haproxy is not installed")
    places = {haproxy.PLACES[one]: f"127.0.0.1:{deployer.ports[one]}" for one in PLACES}
    often = {" check\n": " check inter 100\n"}
    with haproxy.running(**places, **often) as server:
        settings.HAPROXY = {"edge": server.socket}
        yield server


@pytest.fixture
def shop(deployer: Deployer, edge: HaproxyServer, development: Environment) -> Service:
    service = a_service(development.project, "shop")
    router = {
        "kind": "haproxy",
        "haproxy": ["edge"],
        "map": edge.map,
        "key": "shop",
        "places": ["blue", "green"],
    }
    a_setup(service, development, router=router, deployer=deployer.setup, checks=[SMOKE])
    return service


def reached(step: int) -> Callable[[Release], bool]:
    return lambda now: now.step == step and now.entered_at is not None


def versions_between(load: Load, since: float, until: float) -> set[str]:
    """What answered requests that began and ended between two moments."""
    found = [body for began, ended, body in load.answers if began > since and ended < until]
    assert found
    return {json.loads(body)["version"] for body in found}


def test_colours__are_switched_and_taken_back_under_load_without_a_mixture_or_a_loss(
    shop: Service, development: Environment, alice: User, deployer: Deployer, edge: HaproxyServer
) -> None:
    release = a_release(shop, development, alice, strategy="blue_green", plan=PLAN)
    until(release, reached(0))
    with Load(edge.shop) as load:
        load.wait_for(20)
        before = time.monotonic()
        until(let_pass(release, 31), reached(1))
        switched = time.monotonic()
        load.wait_for(40)
        told = time.monotonic()
        commands.rollback(release=fresh(release), intent=Intent(acting(alice), "odd colours"))
        until(release, lambda now: now.state == "rolled_back")
        back = time.monotonic()
        load.wait_for(40)
    assert load.lost == 0
    assert versions_between(load, 0, before) == {"1.9"}
    assert versions_between(load, switched, told) == {"2.0"}
    assert versions_between(load, back, math.inf) == {"1.9"}


def test_the_old_colour__is_stopped_once_the_new_one_has_baked(
    shop: Service, development: Environment, alice: User, deployer: Deployer, edge: HaproxyServer
) -> None:
    release = a_release(shop, development, alice, strategy="blue_green", plan=PLAN)
    until(release, reached(0))
    switched = until(let_pass(release, 31), reached(1))
    outcomes(switched, 200)
    until(let_pass(release, 61), lambda now: now.state == "succeeded")
    assert (deployer.version_at("green"), deployer.version_at("blue")) == ("2.0", "")
    with Load(edge.shop) as load:
        load.wait_for(20)
    assert (load.lost, versions_between(load, 0, math.inf)) == (0, {"2.0"})
