"""Releases through the engine over a real haproxy: to the end and back, reloads, people's hands."""

from datetime import timedelta
from typing import Any

import pytest

from flags.segments.services import create_segment
from portal.access.models import Environment, User
from portal.lib import clock
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands, outside_routers, planning
from releases.core.models import Release
from releases.telemetry.models import OutcomeBucket
from tests.support.haproxy import HaproxyServer, ask_all
from tests.support.people import acting
from tests.support.releasing import (
    DIGEST,
    ERRORS,
    PLAN,
    a_release,
    a_service,
    a_setup,
    fresh,
    let_pass,
    outcomes,
    tick,
)

pytestmark = pytest.mark.postgresql
USERS = [f"user-{n}" for n in range(400)]


def by_map(server: HaproxyServer, **more: Any) -> dict[str, Any]:
    return {
        "kind": "haproxy",
        "haproxy": ["edge"],
        "places": ["blue", "green"],
        "map": server.map,
        "key": "shop",
        **more,
    }


def by_weights(**more: Any) -> dict[str, Any]:
    return {
        "kind": "haproxy",
        "haproxy": ["edge"],
        "places": ["blue", "green"],
        "backend": "search",
        "servers": {"blue": ["s1", "s2"], "green": ["n1"]},
        **more,
    }


@pytest.fixture
def routed(development: Environment, edge: HaproxyServer) -> Service:
    service = a_service(development.project)
    a_setup(service, development, router=by_map(edge), checks=[ERRORS])
    return service


@pytest.fixture
def weighted(development: Environment, edge: HaproxyServer) -> Service:
    service = a_service(development.project)
    a_setup(service, development, router=by_weights())
    return service


def entry(server: HaproxyServer, key: str = "shop") -> str:
    lines = [line.split(" ") for line in server.say(f"show map {server.map}").splitlines()]
    return next((value for _at, found, value in lines if found == key), "")


def weights(server: HaproxyServer) -> list[int]:
    said = (server.say(f"get weight search/{name}") for name in ("s1", "s2", "n1"))
    return [int(one.split(" ")[0]) for one in said]


def causes(release: Release) -> list[str]:
    return [one["cause"] for one in release.holds]


def first(release: Release) -> Any:
    """What haproxy said before it was told anything."""
    return release.before and release.before["values"]


def reached(release: Release) -> Release:
    """At its first step: looked at first, then told."""
    return tick(tick(release))


def through(release: Release, person: User) -> Release:
    """Promoted until it has succeeded."""
    there = reached(release)
    commands.promote_fully(release=there, intent=Intent(acting(person), "now"))
    tick(there)
    outcomes(there, 200)
    return tick(there)


def test_a_release__goes_to_everybody_and_its_successor_back_to_the_first_place(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = a_release(routed, development, alice)
    assert (release.router["new"], release.router["stable"]) == ("green", "blue")
    looked = tick(release)
    assert (first(looked), looked.entered_at) == ({"edge": "green/0/blue"}, None)
    there = tick(release)
    assert (there.told["share"], there.entered_at is not None) == (5000, True)
    assert entry(edge) == "green/5000/blue/blue/100000/-"
    found = ask_all(edge.shop, USERS)
    assert set(found) == {"blue", "green"}
    outcomes(release, 200)
    let_pass(release, 61)
    assert (tick(release).step, entry(edge)) == (1, "green/50000/blue/blue/100000/-")
    done = through(release, alice)
    assert (done.state, set(ask_all(edge.shop, USERS))) == ("succeeded", {"green"})
    following = a_release(routed, development, alice, version="3.0")
    assert (following.router["new"], following.router["stable"]) == ("blue", "green")
    assert reached(following).told["share"] == 5000
    assert entry(edge) == "blue/5000/green/green/100000/-"


def test_a_release_that_fails__is_taken_back_and_nobody_gets_it(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(routed, development, alice))
    outcomes(release, 200, errors=100)
    assert tick(release).state == "rolling_back"
    assert tick(release).state == "rolled_back"
    assert set(ask_all(edge.shop, USERS)) == {"blue"}


def test_a_reload__forgets_the_map_and_the_next_tick_sets_it_again(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(routed, development, alice))
    edge.reload()
    assert entry(edge) == "green/0/blue"
    assert causes(tick(release)) == []
    assert tick(release).told["share"] == 5000
    assert entry(edge) == "green/5000/blue/blue/100000/-"


def test_a_reload_while_it_is_watched__is_made_good_too(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    plan = {**PLAN, "watch_s": 3600}
    done = through(a_release(routed, development, alice, plan=plan), alice)
    assert (done.state, set(ask_all(edge.shop, USERS))) == ("succeeded", {"green"})
    edge.reload()
    assert set(ask_all(edge.shop, USERS)) == {"blue"}
    tick(done)
    assert (tick(done).state, set(ask_all(edge.shop, USERS))) == ("succeeded", {"green"})
    # What a person sets by hand stays, and is shown.
    edge.say(f"set map {edge.map} shop green/0/blue")
    tick(done)
    assert (tick(done).told["share"], entry(edge)) == (0, "green/0/blue")


def test_a_persons_hand__holds_the_release_and_is_named(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(routed, development, alice))
    edge.say(f"set map {edge.map} shop green/0/blue")  # as after a reload, but there was none
    held = tick(release)
    assert causes(held) == ["foreign"]
    assert "edge: its entry shop says green/0/blue" in held.holds[0]["about"]
    tick(release)
    assert entry(edge) == "green/0/blue"
    commands.retry(release=release, intent=Intent(acting(alice)))
    assert tick(release).told["share"] == 5000


def test_what_people_route_elsewhere__stays_so_on_the_way_back(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(routed, development, alice))
    edge.say(f"set map {edge.map} shop base/0/base")
    assert causes(tick(release)) == ["foreign"]
    commands.retry(release=release, intent=Intent(acting(alice)))
    assert causes(tick(release)) == ["router_away"]
    assert "set it back first" in fresh(release).holds[0]["about"]
    commands.rollback(release=release, intent=Intent(acting(alice), "maintenance"))
    assert tick(release).state == "rolled_back"
    assert entry(edge) == "base/0/base"


def test_before_the_first_step__users_have_to_be_where_the_release_expects_them(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    edge.say(f"set map {edge.map} shop green/100000/blue")
    release = tick(a_release(routed, development, alice))
    assert causes(release) == ["foreign"]
    assert "green/100000/blue" in release.holds[0]["about"]
    assert entry(edge) == "green/100000/blue"
    edge.say(f"set map {edge.map} shop green/0/blue")
    assert reached(release).told["share"] == 5000


def test_a_release_that_goes_back_before_its_first_step__touches_nothing(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = a_release(routed, development, alice)
    edge.say(f"set map {edge.map} shop base/0/base")
    commands.rollback(release=release, intent=Intent(acting(alice), "not now"))
    assert tick(release).state in ("rolled_back", "aborted")
    assert entry(edge) == "base/0/base"


def test_a_release_that_supersedes__knows_what_a_reload_brings_back(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    reached(a_release(routed, development, alice))
    planned = a_release(routed, development, alice, version="3.0", start=False)
    commands.start(release=planned, intent=Intent(acting(alice), "fix"), supersede=True)
    assert first(fresh(planned)) == {"edge": "green/0/blue"}
    there = tick(planned)
    assert (there.router["new"], there.told["share"]) == ("green", 5000)
    edge.reload()
    assert causes(tick(planned)) == []
    assert tick(planned).told["share"] == 5000


def test_a_release_planned_before_the_places_turned__is_planned_again(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    early = a_release(routed, development, alice, version="3.0", start=False)
    through(a_release(routed, development, alice), alice)
    with pytest.raises(Conflict, match="Plan it again"):
        commands.start(release=early, intent=Intent(acting(alice)))


def test_haproxy_away__holds_and_goes_on_once_it_is_back(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(routed, development, alice))
    edge.stop()
    held = tick(release)
    assert causes(held) == ["router_away"]
    assert "edge cannot be reached" in held.holds[0]["about"]
    edge.start()
    tick(release)
    assert (causes(tick(release)), entry(edge)) == ([], "green/5000/blue/blue/100000/-")


def test_cohorts_come_first__and_go_into_the_share_at_the_end(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    intent = Intent(acting(alice))
    create_segment(project=routed.project, document={"key": "staff"}, intent=intent)
    plan = {**PLAN, "cohorts": ["staff"]}
    release = reached(a_release(routed, development, alice, plan=plan))
    assert (release.told["share"], release.told["cohorts"]) == (0, ["staff"])
    assert set(ask_all(edge.shop, USERS, "x-cohort: staff")) == {"green"}
    assert set(ask_all(edge.shop, USERS)) == {"blue"}
    edge.reload()
    tick(release)
    assert tick(release).told["cohorts"] == ["staff"]
    assert set(ask_all(edge.shop, USERS, "x-cohort: staff")) == {"green"}
    commands.rollback(release=release, intent=intent)
    assert tick(release).state == "rolled_back"
    assert set(ask_all(edge.shop, USERS, "x-cohort: staff")) == {"blue"}
    assert "staff" not in edge.say(f"show map {edge.map}")


def test_weights__are_set_read_back_and_taken_back(
    weighted: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(weighted, development, alice))
    assert (release.told["share"], weights(edge)) == (5000, [19, 19, 2])
    edge.reload()
    assert weights(edge) == [1, 1, 0]
    tick(release)
    assert (tick(release).told["share"], weights(edge)) == (5000, [19, 19, 2])
    commands.rollback(release=release, intent=Intent(acting(alice), "errors"))
    assert tick(release).state == "rolled_back"
    assert weights(edge) == [1, 1, 0]


def test_a_server_in_maintenance__is_named_and_no_release_readies_it(
    weighted: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(weighted, development, alice))
    edge.say("set server search/s2 state maint")
    held = tick(release)
    assert causes(held) == ["foreign"]
    assert "out of service: s2 (maint)" in held.holds[0]["about"]
    commands.retry(release=release, intent=Intent(acting(alice)))
    assert tick(release).told["share"] == 5000  # by s1 alone
    assert weights(edge)[::2] == [19, 1]
    commands.rollback(release=release, intent=Intent(acting(alice), "errors"))
    assert tick(release).state == "rolled_back"
    assert edge.state_of("s2") == "MAINT"


def test_a_stable_server_whose_weight_people_set_to_0__keeps_it_on_the_way_back(
    weighted: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = reached(a_release(weighted, development, alice))
    edge.say("set server search/s2 weight 0")
    assert causes(tick(release)) == ["foreign"]
    commands.rollback(release=release, intent=Intent(acting(alice), "errors"))
    assert tick(release).state == "rolled_back"
    assert weights(edge) == [1, 0, 0]


def test_weights__know_no_cohorts_and_the_preview_says_requests(
    weighted: Service, development: Environment, alice: User
) -> None:
    wanted = {
        "service": weighted.key,
        "artefact": {"version": "2.0", "digest": DIGEST},
        "strategy": "canary",
    }

    def preview(**plan: Any) -> planning.Preview:
        return planning.preview(
            project=development.project,
            environment=development,
            document={**wanted, "plan": {**PLAN, **plan}},
        )

    assert any("requests, not users" in one for one in preview().remarks)
    intent = Intent(acting(alice))
    create_segment(project=weighted.project, document={"key": "staff"}, intent=intent)
    with pytest.raises(Invalid, match="know no users"):
        preview(cohorts=["staff"])


def test_a_gradual_return__goes_on_over_a_reload_and_sends_nobody_up_again(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    plan = {**PLAN, "return_strategy": "gradual", "return_within_s": 600}
    release = reached(a_release(routed, development, alice, plan=plan))
    outcomes(release, 200)
    let_pass(release, 61)
    assert tick(release).told["share"] == 50_000
    outcomes(release, 200, errors=100)
    tick(release)
    returning = tick(release)
    assert (returning.state, entry(edge)) == ("rolling_back", "green/5000/blue/blue/100000/-")
    assert (tick(release).state, entry(edge)[:10]) == ("rolling_back", "green/5000")  # its time
    edge.reload()  # by itself it sends nobody to the new version
    tick(release)
    assert (tick(release).state, entry(edge)) == ("rolling_back", "green/0/blue")
    an_hour_ago = clock.database_now() - timedelta(hours=1)
    Release.objects.filter(pk=release.pk).update(
        wanted={**fresh(release).wanted, "until": an_hour_ago.isoformat()}
    )
    tick(release)
    assert tick(release).state == "rolled_back"
    assert set(ask_all(edge.shop, USERS)) == {"blue"}


def test_a_worker_that_dies_after_it_told_haproxy__has_the_next_one_find_it_done(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    release = a_release(routed, development, alice)
    outside_routers.ask(fresh(release))  # looked, and died before it was kept
    assert first(tick(release)) == {"edge": "green/0/blue"}
    outside_routers.ask(fresh(release))  # told, and died before it was kept
    assert entry(edge) == "green/5000/blue/blue/100000/-"
    there = tick(release)
    assert (there.told["share"], first(there)) == (5000, {"edge": "green/0/blue"})
    edge.reload()
    tick(release)
    assert tick(release).told["share"] == 5000


def test_the_proof_that_it_can_go_back__goes_up_back_and_up(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    plan = {**PLAN, "proof_of_return": True}
    release = reached(a_release(routed, development, alice, plan=plan))
    seen = []
    for _ in range(4):
        release = tick(release)
        seen.append(entry(edge).split("/")[1])
    assert "took_s" in release.proof
    assert ("0" in seen, seen[-1]) == (True, "5000")


def test_undoing__brings_everyone_back_to_the_place_they_came_from(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    old = through(a_release(routed, development, alice, version="1.0"), alice)
    let_pass(old, 4000)
    new = through(a_release(routed, development, alice, version="2.0"), alice)
    let_pass(new, 4000)
    assert set(ask_all(edge.shop, USERS)) == {"blue"}
    undoing = commands.undo(release=fresh(new), intent=Intent(acting(alice), "orders are lost"))
    assert reached(undoing).told["share"] == 100_000
    assert set(ask_all(edge.shop, USERS)) == {"green"}


def test_tagged_requests__get_it_by_header_before_anybody_else_and_after_a_reload(
    routed: Service, development: Environment, alice: User, edge: HaproxyServer
) -> None:
    tagged = {"work": "synthetic", "soak_s": 60, "minimum_requests": 20}
    plan = PLAN | {"steps": [tagged, *PLAN["steps"]]}
    release = reached(a_release(routed, development, alice, plan=plan))
    assert (release.step, release.entered_at is not None) == (0, True)
    header = f"x-aviary-tester: {release.router['tester']}"
    assert set(ask_all(edge.shop, USERS, header)) == {"green"}
    for other in ("", "x-aviary-tester: made-up", "x-aviary-tester: staff", "x-aviary-tester:"):
        assert set(ask_all(edge.shop, USERS, other)) == {"blue"}
    edge.reload()
    assert set(ask_all(edge.shop, USERS, header)) == {"blue"}
    assert tick(tick(release)).state == "running"
    assert set(ask_all(edge.shop, USERS, header)) == {"green"}
    about = {"environment": development, "about": "synthetic", "name": routed.key}
    new = {"version": "2.0", "start": clock.database_now(), "requests": 20}
    OutcomeBucket.objects.create(**about, **new)
    let_pass(release, 61)
    assert (tick(release).step, tick(release).told["share"]) == (1, 5000)
    assert set(ask_all(edge.shop, USERS, header)) == {"green"}
    assert set(ask_all(edge.shop, USERS)) == {"blue", "green"}
    commands.rollback(release=release, intent=Intent(acting(alice)))
    assert tick(release).state == "rolled_back"
    assert set(ask_all(edge.shop, USERS, header)) == {"blue"}
    assert "tester" not in edge.say(f"show map {edge.map}")


def test_a_service_that_pins__holds_the_next_release_back_until_nobody_is_pinned(
    development: Environment, alice: User, edge: HaproxyServer
) -> None:
    service = a_service(development.project)
    a_setup(service, development, router=by_map(edge, pin_s=600), checks=[ERRORS])
    release = reached(a_release(service, development, alice))
    assert entry(edge) == "green/5000/blue/blue/100000/-/600"
    done = through(release, alice)
    assert (done.state, entry(edge)) == ("succeeded", "green/100000/blue/blue/100000/-/600")
    with pytest.raises(Conflict, match="Visitors are pinned to the version before checkout"):
        a_release(service, development, alice, version="3.0")
    done.executions.update(reached_at=clock.database_now() - timedelta(seconds=611))
    following = reached(a_release(service, development, alice, version="3.0"))
    assert entry(edge) == "blue/5000/green/green/100000/-/600"
    commands.rollback(release=following, intent=Intent(acting(alice)))
    assert tick(following).state == "rolled_back"
    assert "used:0" in edge.say("show table shop-pins")


def test_weights__can_pin_nobody(development: Environment, edge: HaproxyServer) -> None:
    service = a_service(development.project)
    with pytest.raises(Invalid, match="Only a map can pin visitors"):
        a_setup(service, development, router=by_weights(pin_s=600))
