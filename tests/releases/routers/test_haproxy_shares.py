"""What haproxy does with real requests: shares, users who stay, cohorts, switches, draining."""

import math
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from releases.routers import Told, Wanted, haproxy, haproxy_servers
from releases.routers.haproxy_socket import Haproxy
from tests.support.haproxy import SAMPLE, HaproxyServer, Load, ask_all
from tests.support.waiting import wait_until

USERS = [f"user-{n}" for n in range(20_000)]
SURE = 0.001
NOTHING: dict[str, Any] = {"values": {}, "known": {}}


def by_map(server: HaproxyServer, **more: Any) -> dict[str, Any]:
    """As a release keeps it: green brings the new version."""
    of_map = {"map": server.map, "key": "shop", "new": "green", "stable": "blue"}
    return {"kind": "haproxy", "haproxy": ["edge"], **of_map, **more}


BY_WEIGHTS: dict[str, Any] = {
    "kind": "haproxy",
    "haproxy": ["edge"],
    "backend": "search",
    "servers": {"blue": ["s1", "s2"], "green": ["n1"]},
    "new": "green",
    "stable": "blue",
}


def told(router: Mapping[str, Any], share: int, *cohorts: str) -> Told:
    """What it says once it was told that."""
    wanted = Wanted(share, cohorts)
    return haproxy.ask(router, wanted, acts=True, state={}, before=NOTHING)[0]


def probability(counted: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Of counts this far from their shares or farther: Pearson's chi-squared test, of two or three
    places."""
    assert set(counted) <= set(shares)
    total = sum(counted.values())
    squares = ((counted.get(one, 0) - total * share) ** 2 / share for one, share in shares.items())
    chi_squared = sum(squares) / total
    if len(shares) == 2:
        return math.erfc(math.sqrt(chi_squared / 2))
    assert len(shares) == 3
    return math.exp(-chi_squared / 2)


def off(shares: Mapping[str, float], by: float = 0.02) -> dict[str, float]:
    return {**shares, "green": shares["green"] + by, "blue": shares["blue"] - by}


def places_of(asked: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Where each user was answered, as the backends counted it."""
    return {user: place for place, user in asked}


def test_shares_by_a_map__are_the_wanted_ones_and_nobody_ever_goes_back(
    edge: HaproxyServer,
) -> None:
    router, had_it = by_map(edge, baseline="base"), set[str]()
    had_baseline = set[str]()
    for share in (5_000, 25_000, 50_000):
        assert told(router, share).share == share
        ask_all(edge.shop, USERS)
        asked = edge.backends.taken()
        counted, part = Counter(place for place, _user in asked), share / 100_000
        assert counted.total() == len(USERS)
        shares = {"green": part, "base": part, "blue": 1 - 2 * part}
        shares = {one: of for one, of in shares.items() if of}
        assert probability(counted, shares) > SURE
        assert probability(counted, {**shares, "green": part + 0.02, "base": part - 0.02}) < SURE
        now = places_of(asked)
        got_it = {user for user, place in now.items() if place == "green"}
        assert had_it <= got_it
        assert not had_baseline & got_it
        had_it = got_it
        had_baseline = {user for user, place in now.items() if place == "base"}
    assert told(router, 100_000).share == 100_000
    assert set(ask_all(edge.shop, USERS)) == {"green"}
    assert told(router, 0).share == 0
    assert set(ask_all(edge.shop, USERS[:500])) == {"blue"}


def test_a_share__is_exact_to_a_thousandth_of_a_percent(edge: HaproxyServer) -> None:
    router = by_map(edge)
    low, high = 0, 100_000  # the user's own point lies at or above low, and below high
    while high - low > 1:
        middle = (low + high) // 2
        told(router, middle)
        gets_it = ask_all(edge.shop, ["somebody"])["green"]
        low, high = (low, middle) if gets_it else (middle, high)
    for share, place in ((low, "blue"), (high, "green"), (high + 1, "green")):
        assert told(router, share).share == share
        assert set(ask_all(edge.shop, ["somebody"] * 5)) == {place}


def test_who_has_no_cookie__gets_one_and_stays_where_it_was(edge: HaproxyServer) -> None:
    told(by_map(edge), 50_000)
    for _ in range(20):
        place, user = edge.ask_without_cookie()
        assert set(ask_all(edge.shop, [user] * 3)) == {place}


def test_cohorts__get_it_by_header_whatever_the_share_and_nobody_else_does(
    edge: HaproxyServer,
) -> None:
    router = by_map(edge)
    said = told(router, 0, "staff", "beta-testers")
    assert (said.share, said.cohorts) == (0, ("staff", "beta-testers"))
    users = USERS[:200]
    for header in ("x-cohort: staff", "x-cohort: other, beta-testers"):
        assert set(ask_all(edge.shop, users, header)) == {"green"}
    for header in ("", "x-cohort: other", "x-cohort: staff@shop"):
        assert set(ask_all(edge.shop, users, header)) == {"blue"}
    assert told(router, 0, "staff").cohorts == ("staff",)
    assert set(ask_all(edge.shop, users, "x-cohort: beta-testers")) == {"blue"}
    edge.say(f"clear map {edge.map}")
    edge.say(f"add map {edge.map} shop {router['new']}/0/blue")
    poll, _state = haproxy.ask(router, Wanted(0, ("staff",)), acts=False, state={}, before=NOTHING)
    assert poll.cohorts == ()
    told(router, 100_000)
    assert "staff" not in edge.say(f"show map {edge.map}")


def test_a_switch_of_colours_under_load__serves_no_mixture(edge: HaproxyServer) -> None:
    router = by_map(edge)
    for share, before, after in ((100_000, "blue", "green"), (0, "green", "blue")):
        with Load(edge.shop) as load:
            load.wait_for(300)
            told(router, share)
            load.wait_for(300)
        asked = load.answers  # when each began and ended, and where it was answered
        first = min(ended for _began, ended, place in asked if place == after)
        later = [place for began, _ended, place in asked if began > first]
        assert len(later) > 100
        assert set(later) == {after}
        assert asked[0][2] == before


def test_shares_by_weights__are_the_wanted_ones_and_2_points_off_is_found(
    edge: HaproxyServer,
) -> None:
    for share in (5_000, 25_000, 50_000):
        assert told(BY_WEIGHTS, share).share == share
        edge.backends.taken()
        ask_all(edge.search, USERS)
        counted, shares = edge.counted(), {"green": share / 100_000, "blue": 1 - share / 100_000}
        assert probability(counted, shares) > SURE
        assert probability(counted, off(shares)) < SURE
    told(BY_WEIGHTS, 27_000)
    ask_all(edge.search, USERS)
    assert probability(edge.counted(), {"green": 0.25, "blue": 0.75}) < SURE
    assert told(BY_WEIGHTS, 100_000).share == 100_000
    assert set(ask_all(edge.search, USERS[:500])) == {"n1"}


def test_a_drained_server__loses_no_request_and_is_empty_in_the_end(edge: HaproxyServer) -> None:
    edge.backends.slow_s = 0.02
    with Load(edge.search, clients=8) as load:
        load.wait_for(100)
        assert haproxy_servers.drain(Haproxy("edge"), "search", "s1")
        until = time.monotonic() + 10
        while haproxy_servers.sessions(Haproxy("edge"), "search", "s1"):
            assert time.monotonic() < until
            time.sleep(0.01)
        drained = time.monotonic()
        load.wait_for(100)
        haproxy_servers.maint(Haproxy("edge"), "search", "s1")
        states = haproxy_servers.servers(Haproxy("edge"), "search")
        assert [one.admin for one in states.values()] == ["maint", "ready", "ready"]
        load.wait_for(50)
        back = time.monotonic()
        haproxy_servers.ready(Haproxy("edge"), "search", "s1")
        load.wait_for(100)
    assert {place for _began, _ended, place in load.answers} == {"s1", "s2"}
    meanwhile = {place for began, _ended, place in load.answers if drained < began < back}
    assert meanwhile == {"s2"}
    assert any(place == "s1" for began, _ended, place in load.answers if began > back)
    assert load.lost == 0


def test_a_server_in_maintenance__is_not_drained_out_of_it(edge: HaproxyServer) -> None:
    edge.say("set server search/s1 state maint")
    assert not haproxy_servers.drain(Haproxy("edge"), "search", "s1")
    assert haproxy_servers.servers(Haproxy("edge"), "search")["s1"].admin == "maint"


def test_a_reload_under_load__loses_no_request(edge: HaproxyServer) -> None:
    told(by_map(edge), 50_000)
    threads = threading.active_count()
    with Load(edge.shop) as load:
        load.wait_for(100)
        edge.reload()
        load.wait_for(200)
    assert load.lost == 0
    assert threading.active_count() == threads


SOCAT = """#!{python}
import socket, sys
with socket.socket(socket.AF_UNIX) as one:
    one.connect(sys.argv[2].removeprefix("unix-connect:"))
    one.sendall(sys.stdin.buffer.read())
    sys.stdout.buffer.write(one.makefile("rb").read())
"""


def test_a_map_that_is_kept_before_a_reload__is_there_after_it(
    edge: HaproxyServer, tmp_path: Path
) -> None:
    socat = tmp_path / "socat"
    socat.write_text(SOCAT.format(python=sys.executable))
    socat.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    keep = [str(SAMPLE / "keep-map.sh"), edge.socket, edge.map]
    told(by_map(edge), 25_000)
    subprocess.run(keep, check=True, env=environment)
    edge.reload()
    assert told_again(by_map(edge), 25_000).share == 25_000
    subprocess.run([*keep[:2], "/no/map"], check=False, env=environment)
    kept = Path(edge.map).read_text()
    subprocess.run([keep[0], "/no/socket", edge.map], check=True, env=environment)
    assert Path(edge.map).read_text() == kept == "shop green/25000/blue/blue/100000/-\n"


def told_again(router: Mapping[str, Any], share: int) -> Told:
    """What it says, without being told anything."""
    return haproxy.ask(router, Wanted(share), acts=False, state={}, before=NOTHING)[0]


def places_now(edge: HaproxyServer, users: Sequence[str]) -> dict[str, str]:
    edge.backends.taken()
    ask_all(edge.shop, users)
    return places_of(edge.backends.taken())


def test_pinned_visitors__keep_what_they_began_with_and_a_rollback_ends_that(
    edge: HaproxyServer,
) -> None:
    router, users = by_map(edge, pin_s=3600), USERS[:1000]
    assert told(router, 5_000).share == 5_000
    began = places_now(edge, users)
    assert set(began.values()) == {"blue", "green"}
    for share in (50_000, 100_000):
        assert told(router, share).share == share
        assert places_now(edge, users) == began
    others = USERS[1000:2000]
    assert set(places_now(edge, others).values()) == {"green"}
    assert f"used:{Counter(began.values())['blue']}" in edge.say("show table shop-pins")
    back = Wanted(0, back=True)
    assert haproxy.ask(router, back, acts=True, state={}, before=NOTHING)[0].share == 0
    assert "used:0" in edge.say("show table shop-pins")
    assert set(places_now(edge, users).values()) == {"blue"}


def test_once_their_time_is_over__pinned_visitors_go_where_the_share_says(
    edge: HaproxyServer,
) -> None:
    router, users = by_map(edge, pin_s=1), USERS[:1000]
    told(router, 5_000)
    began = places_now(edge, users)
    assert told(router, 100_000).share == 100_000
    wait_until(lambda: set(places_now(edge, users).values()) == {"green"})
    assert set(began.values()) == {"blue", "green"}


def test_without_its_table__haproxy_is_not_told_to_pin_and_says_so(edge: HaproxyServer) -> None:
    said = told(by_map(edge, pin_s=3600, key="shop2"), 5_000)
    assert "has no entry shop2" in said.away
    edge.say(f"add map {edge.map} shop2 green/0/blue")
    said = told(by_map(edge, pin_s=3600, key="shop2"), 5_000)
    assert said.away == "edge has no table shop2-pins, so it pins nobody: add it as the sample does"
