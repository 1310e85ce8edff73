"""What haproxy's runtime API answers, and what is no answer: each is told apart."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from flags.segments.services import create_segment
from portal.access.models import Environment, User
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from releases.routers import Told, Wanted, haproxy, haproxy_map, haproxy_servers, haproxy_weights
from releases.routers.haproxy_socket import (
    CommandRefused,
    Haproxy,
    HaproxyError,
    NotPermitted,
    NotReached,
    UnknownHaproxy,
)
from tests.support.haproxy import HaproxyServer, running
from tests.support.people import acting
from tests.support.releasing import PLAN, a_release, a_service, a_setup

INFO = b"Name: HAProxy\nVersion: 2.6.12\nPid: 17\nStart_time_sec: 1796091887\n\n"
ENTRY = b'type=str, case=sensitive, found=yes, idx=tree, key="shop", value="%s", type="str"\n\n'
BY_MAP: dict[str, Any] = {
    "kind": "haproxy",
    "haproxy": ["edge"],
    "map": "/etc/haproxy/aviary.map",
    "key": "shop",
    "new": "green",
    "stable": "blue",
}
BY_WEIGHTS: dict[str, Any] = {
    "kind": "haproxy",
    "haproxy": ["edge"],
    "backend": "search",
    "servers": {"blue": ["s1"], "green": ["n1"]},
    "new": "green",
    "stable": "blue",
}
NOTHING: dict[str, Any] = {"values": {}, "known": {}}
Answer = Callable[[str], bytes]


@contextmanager
def pretending(answer: Answer) -> Iterator[str]:
    """Something that listens and answers each line so; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    connected, _from = listening.accept()
                except OSError:
                    return
                with connected:
                    line = connected.recv(4096).decode().strip()
                    if line == "end":
                        return
                    connected.sendall(answer(line))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            with closing(socket.create_connection(("127.0.0.1", port), 5)) as last:
                last.sendall(b"end\n")
            thread.join(10)


def says(settings: Settings, answer: Answer, wanted: int = 5_000, router: Any = BY_MAP) -> Told:
    """What a release makes of such a haproxy, which it would tell to share."""
    with pretending(answer) as address:
        settings.HAPROXY = {"edge": address}
        return haproxy.ask(router, Wanted(wanted), acts=True, state={}, before=NOTHING)[0]


def after_greeting(answer: bytes) -> Answer:
    return lambda line: INFO if line == "show info" else answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _line: b"HTTP/1.0 400 Bad request\r\n\r\n<h1>Bad</h1>\n", "does not answer"),
        (lambda _line: b"\x16\x03\x01\xff\xfe\n\n", "does not answer"),
        (lambda _line: b"Name: HAProxy\nVersion: 2.6\n\n", "does not answer"),
        (lambda _line: b"Name: HAProxy\nVer", "cut short"),
        (lambda _line: b"", "cut short"),
        (after_greeting(b""), "cut short"),
        (after_greeting(ENTRY[:40]), "cut short"),
        (after_greeting(b"220 mail.example.com ESMTP\n\n"), "does not answer"),
        (after_greeting(b"\n"), "does not answer"),
        (after_greeting(b"Permission denied\n\n"), "level admin"),
        (after_greeting(b"type=str, case=sensitive, found=no\n\n"), "has no entry shop"),
        (
            after_greeting(b"Unknown map identifier. Please use #<id> or <file>.\n\n"),
            "knows no map",
        ),
        (after_greeting(b"x" * 5_000_000), "more than 4 MiB"),
        (after_greeting(ENTRY % b"nonsense"), "set it back first"),
        (after_greeting(ENTRY % b"green/100001/blue"), "set it back first"),
        (after_greeting(ENTRY % b"green/5/blue/blue/9/-/more"), "set it back first"),
    ],
)
def test_an_answer_that_is_none__says_why_and_nothing_is_taken_for_granted(
    settings: Settings, answer: Answer, why: str
) -> None:
    told = says(settings, answer)
    assert why in told.away
    assert "edge" in told.away
    assert told.share is None


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"1\n# be_id srv_name\n3 s1\n\n",
        b"1\n# be_id srv_name srv_op_state srv_admin_state srv_uweight srv_iweight\n3 s1 2 x\n\n",
        b"2\nanother version\n\n",
        b"<html>\n\n",
        b"Can't find backend.\n\n",
    ],
)
def test_servers_states_that_are_none__say_why(settings: Settings, answer: bytes) -> None:
    told = says(settings, after_greeting(answer), router=BY_WEIGHTS)
    assert "edge" in told.away
    assert told.share is None


def test_a_command_that_is_refused__is_told_with_the_reason(settings: Settings) -> None:
    def answer(line: str) -> bytes:
        if line.startswith("set map"):
            return b"unknown map\n\n"
        return INFO if line == "show info" else ENTRY % b"green/0/blue"

    assert "edge refused “set map" in says(settings, answer).away


def test_a_set_whose_answer_is_cut__is_not_taken_for_done(settings: Settings) -> None:
    def answer(line: str) -> bytes:
        if line.startswith("set map"):
            return b""  # an accepted one answers with an empty line
        return INFO if line == "show info" else ENTRY % b"green/0/blue"

    assert "cut short" in says(settings, answer).away


def test_one_that_hangs__is_left_when_its_time_is_up(settings: Settings) -> None:
    ends = threading.Event()

    def answer(_line: str) -> bytes:
        ends.wait(10)
        return b"\n"

    with pretending(answer) as address:
        settings.HAPROXY = {"edge": address}
        with pytest.raises(NotReached, match="took too long"):
            Haproxy("edge", until=time.monotonic() + 0.1).started()
        ends.set()


def test_a_worker_whose_time_is_up__sends_nothing_any_more(settings: Settings) -> None:
    came = list[str]()

    def answer(line: str) -> bytes:
        came.append(line)
        return b"\n"

    with pretending(answer) as address:
        settings.HAPROXY = {"edge": address}
        with pytest.raises(NotReached):
            Haproxy("edge", until=time.monotonic()).tell("set map a b c")
    assert came == []


def test_no_socket_but_those_the_site_lists__is_ever_asked(settings: Settings) -> None:
    settings.HAPROXY = {}
    with pytest.raises(UnknownHaproxy, match="AVIARY_HAPROXY names no haproxy edge"):
        Haproxy("edge").started()
    told, _state = haproxy.ask(BY_MAP, Wanted(1), acts=True, state={}, before=NOTHING)
    assert "AVIARY_HAPROXY" in told.away


@pytest.mark.parametrize("path", ["/nowhere/admin.sock", "127.0.0.1:1", "[::1]:1"])
def test_one_that_is_not_there__is_not_reached(settings: Settings, path: str) -> None:
    settings.HAPROXY = {"edge": path}
    with pytest.raises(NotReached, match="edge cannot be reached"):
        Haproxy("edge").started()


@pytest.mark.parametrize("more", ["; set map a b c", "\nset map a b c", "\\", " <<"])
def test_a_name__makes_no_second_command(settings: Settings, more: str) -> None:
    settings.HAPROXY = {"edge": "/nowhere"}
    with pytest.raises(ValueError, match="more than one command"):
        Haproxy("edge").read(f"show map a{more}")


def test_a_real_haproxys_refusals__are_told_apart(edge: HaproxyServer) -> None:
    with pytest.raises(CommandRefused, match="entry not found"):
        Haproxy("edge").tell(f"set map {edge.map} nothing 1")
    with pytest.raises(HaproxyError, match="has no backend nowhere"):
        haproxy_servers.servers(Haproxy("edge"), "nowhere")
    for ask in (haproxy_servers.sessions, haproxy_servers.drain, haproxy_servers.ready):
        with pytest.raises(HaproxyError, match="has no server s9 in search"):
            ask(Haproxy("edge"), "search", "s9")
    router = {**BY_WEIGHTS, "servers": {"blue": ["s1"], "green": ["n9"]}}
    told, _state = haproxy.ask(router, Wanted(0), acts=True, state={}, before=NOTHING)
    assert "no server n9" in told.away


def test_a_socket_without_admin_level__is_named(settings: Settings) -> None:
    with running(**{"level admin": "level operator"}) as server:
        settings.HAPROXY = {"edge": server.socket}
        with pytest.raises(NotPermitted, match="level admin"):
            haproxy_servers.drain(Haproxy("edge"), "search", "s1")


def test_a_static_algorithm__takes_all_or_nothing(settings: Settings) -> None:
    replaced = {"balance roundrobin": "balance static-rr", "check weight 0": "check weight 1"}
    with running(**replaced) as server:
        settings.HAPROXY = {"edge": server.socket}
        told, _state = haproxy.ask(BY_WEIGHTS, Wanted(5_000), acts=True, state={}, before=NOTHING)
        assert "only accepts weights '0%' and '100%'" in told.away
        for share in (0, 100_000):
            wanted = Wanted(share)
            told, _state = haproxy.ask(BY_WEIGHTS, wanted, acts=True, state={}, before=NOTHING)
            assert told.share == share


@pytest.fixture
def both(edge: HaproxyServer, settings: Settings) -> Iterator[HaproxyServer]:
    """A second haproxy, ``west``, beside ``edge``."""
    with running() as server:
        settings.HAPROXY = {"edge": edge.socket, "west": server.socket}
        yield server


def test_several_haproxys__have_to_agree_and_the_one_that_differs_is_named(
    edge: HaproxyServer, both: HaproxyServer, settings: Settings
) -> None:
    # Each has a map of its own path, as two machines would not.
    router = {**BY_WEIGHTS, "haproxy": ["edge", "west"]}
    told, state = haproxy.ask(router, Wanted(25_000), acts=True, state={}, before=NOTHING)
    assert told.share == 25_000
    both.say("set server search/n1 weight 0")
    told, more = haproxy.ask(router, Wanted(25_000), acts=False, state=state, before=NOTHING)
    assert (told.share, more) == (0, {})
    assert told.said.startswith("west: its weights are")
    assert "edge" not in told.said
    assert not told.is_lost
    both.stop()
    told, _more = haproxy.ask(router, Wanted(50_000), acts=True, state=state, before=NOTHING)
    assert "west cannot be reached" in told.away
    assert edge.say("get weight search/n1").startswith("1 ")  # raised nowhere while one is away
    back = Wanted(0, back=True)
    told, _more = haproxy.ask(router, back, acts=True, state=state, before=NOTHING)
    assert "west cannot be reached" in told.away
    assert edge.say("get weight search/n1").startswith("0 ")  # but taken back where it can be


@pytest.mark.parametrize(
    ("groups", "shares", "weights"),
    [
        ([{"n": 1}, {"s": 1}], (50_000, 50_000), {"n": 1, "s": 1}),
        ([{"n": 1}, {"s": 1}], (5_000, 95_000), {"n": 1, "s": 19}),
        ([{"n": 1}, {"s": 1, "t": 1}], (5_000, 95_000), {"n": 2, "s": 19, "t": 19}),
        ([{"n": 1}, {"s": 100, "t": 50}], (25_000, 75_000), {"n": 1, "s": 2, "t": 1}),
        ([{"n": 1}, {"s": 1}, {"b": 1}], (20_000, 60_000, 20_000), {"n": 1, "s": 3, "b": 1}),
        ([{"n": 1}, {"s": 1, "off": 0}], (50_000, 50_000), {"n": 1, "s": 1, "off": 0}),
        ([{"n": 1}, {"s": 1}], (1_000, 99_000), {"n": 1, "s": 99}),
        ([{"n": 1}, {"s": 1}], (99_000, 1_000), {"n": 99, "s": 1}),
    ],
)
def test_weights__are_those_nearest_to_the_share(
    groups: list[dict[str, int]], shares: tuple[int, ...], weights: dict[str, int]
) -> None:
    assert haproxy_weights.nearest(groups, shares) == weights


def test_every_share_by_weights__is_within_a_tenth_of_a_point_or_refused() -> None:
    for share in range(400, 99_000, 400):
        found = haproxy_weights.nearest([{"n": 1}, {"s": 1, "t": 1}], (share, 100_000 - share))
        reached = 100_000 * found["n"] / sum(found.values())
        assert abs(reached - share) <= haproxy_weights.MOST_ERROR
    many = {f"n{n}": 1 for n in range(50)}
    with pytest.raises(HaproxyError, match="cannot share so finely"):
        haproxy_weights.nearest([many, {"s": 1}], (1_000, 99_000))
    with pytest.raises(HaproxyError, match="is not reached"):
        haproxy_weights.nearest([{"n": 1}, {"s": 1}], (100, 99_900))


@pytest.mark.parametrize("cohort", ["beta testers", "beta;testers", "beta<testers", "béta"])
def test_a_cohort_that_would_be_more_than_one_word__is_never_told(cohort: str) -> None:
    router = {"map": "/m", "key": "shop", "new": "green", "stable": "blue"}
    seen = haproxy_map.MapReading("green/0/blue", ())
    with pytest.raises(HaproxyError, match="cannot be told of a segment"):
        haproxy_map.write(Haproxy("edge"), router, Wanted(0, (cohort,)), seen)


def test_a_release_with_such_a_cohort__is_refused_before_it_starts(
    development: Environment, alice: User, settings: Settings
) -> None:
    settings.HAPROXY = {"edge": "/nowhere"}
    intent = Intent(acting(alice))
    create_segment(project=development.project, document={"key": "beta;testers"}, intent=intent)
    service = a_service(development.project)
    router = {"kind": "haproxy", "haproxy": ["edge"], "places": ["blue", "green"]}
    a_setup(service, development, router={**router, "map": "/m", "key": "shop"})
    with pytest.raises(Invalid) as refused:
        a_release(service, development, alice, plan={**PLAN, "cohorts": ["beta;testers"]})
    assert "Route it by a flag" in refused.value.problems["plan.cohorts"]
