"""Waiting for releases, and for what happens to them."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from urllib.request import Request, urlopen

import pytest
from pytest_django.live_server_helper import LiveServer

from portal.access.models import ApiKey, Environment
from releases.api import waiting
from tests.releases.api.asking import RELEASES, started
from tests.support.releasing import (
    outcomes,
    tick,
)
from tests.support.script import Script, answer, issue, problem

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def test_events__go_on_from_where_the_last_answer_ended(
    script: Script, body: dict[str, Any]
) -> None:
    release = started(script, body)
    events = f"{RELEASES}/{release.pk}/events"
    first = answer(script.get(f"{events}?limit=2"))
    assert [one["event"] for one in first["events"]] == ["release.planned", "release.started"]
    rest = answer(script.get(f"{events}?after={first['after']}"))
    assert [one["event"] for one in rest["events"]] == ["release.step_reached"]
    nothing = answer(script.get(f"{events}?after={rest['after']}"))
    assert nothing == {"events": [], "after": rest["after"]}
    answer(script.post(f"{RELEASES}/{release.pk}/commands/abort", {"reason": "no"}))
    more = answer(script.get(f"{events}?after={rest['after']}"))["events"]
    assert [one["event"] for one in more] == ["release.rollback_started", "release.aborted"]
    assert (more[0]["reason"], more[1]["after"]["state"]) == ("no", "aborted")
    problem(script.get(f"{events}?after=x"), 400)


def test_waiting__ends_when_it_is_over_or_held_or_time_is_up(
    script: Script, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = started(script, body)
    wait = f"{RELEASES}/{release.pk}/wait"
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            outcomes(release, 200, errors=100)
            tick(release)

    monkeypatch.setattr(time, "sleep", sleep)
    assert answer(script.get(f"{wait}?timeout_s=0"))["state"] == "running"
    assert looks == []
    assert answer(script.get(f"{wait}?until=finished&timeout_s=60"))["state"] == "rolled_back"
    assert looks == [0.5] * 3
    assert answer(script.get(f"{wait}?until=held&timeout_s=60"))["state"] == "rolled_back"
    for query in ("until=later", "timeout_s=61", "timeout_s=-1"):
        problem(script.get(f"{wait}?{query}"), 400)


def test_events__that_are_waited_for__come_with_the_first(
    script: Script, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = started(script, body)
    events = f"{RELEASES}/{release.pk}/events"
    after = answer(script.get(events))["after"]

    def sleep(_seconds: float) -> None:
        outcomes(release, 200, errors=100)
        tick(release)

    monkeypatch.setattr(time, "sleep", sleep)
    come = answer(script.get(f"{events}?after={after}&timeout_s=60"))["events"]
    assert [one["event"] for one in come] == ["release.rollback_started", "release.rolled_back"]


def test_waiting__more_than_may__is_refused_for_a_moment(
    script: Script, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = started(script, body)
    taken = threading.BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setattr(waiting, "_places", taken)
    refused = script.get(f"{RELEASES}/{release.pk}/wait")
    problem(refused, 503)
    assert refused["Retry-After"] == "5"


@contextmanager
def streaming(live_server: LiveServer, key: str, path: str, last: str = "") -> Iterator[IO[bytes]]:
    """A stream over a socket, as curl would read it."""
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    headers |= {"Last-Event-ID": last} if last else {}
    with urlopen(Request(f"{live_server.url}{path}", headers=headers), timeout=20) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        yield response


def frames(lines: IO[bytes], count: int = 0) -> list[tuple[str, str]]:
    """The ids and events of the next frames; all until it ends."""
    found: list[tuple[str, str]] = []
    identity = ""
    for line in lines:
        name, _colon, value = line.decode().strip().partition(": ")
        if name == "id":
            identity = value
        elif name == "data":
            found.append((identity, json.loads(value)["event"]))
            if len(found) == count:
                break
    return found


@pytest.mark.django_db(transaction=True)
def test_a_stream__tells_what_happens_goes_on_where_it_broke_and_ends_with_the_release(
    script: Script, body: dict[str, Any], production: Environment, live_server: LiveServer
) -> None:
    release = started(script, body)
    events, key = f"{RELEASES}/{release.pk}/events", issue(production)
    with streaming(live_server, key, events) as lines:
        had = frames(lines, 2)  # and then the connection is lost
    assert [event for _id, event in had] == ["release.planned", "release.started"]
    with streaming(live_server, key, f"{events}?after=0", last=had[-1][0]) as lines:
        assert [event for _id, event in frames(lines, 1)] == ["release.step_reached"]
        answer(script.post(f"{RELEASES}/{release.pk}/commands/rollback", {"reason": "no"}))
        rest = frames(lines)
    assert [event for _id, event in rest] == ["release.rollback_started", "release.rolled_back"]
    nothing = script.get(events, accept="text/event-stream", last_event_id=rest[-1][0])
    assert (nothing.status_code, nothing.content) == (204, b"")  # so that nobody comes back
    problem(script.get(events, accept="text/event-stream", last_event_id="x"), 400)


@pytest.mark.django_db(transaction=True)
def test_a_stream__of_a_key_that_is_revoked__ends(
    script: Script, body: dict[str, Any], production: Environment, live_server: LiveServer
) -> None:
    release = started(script, body)
    key = issue(production)
    with streaming(live_server, key, f"{RELEASES}/{release.pk}/events") as lines:
        assert len(frames(lines, 3)) == 3
        ApiKey.objects.update(revoked_at=release.created_at)
        assert frames(lines) == []


def test_a_stream__takes_a_place_of_those_who_wait__until_nobody_reads_it(
    script: Script,
    body: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = started(script, body)
    events = f"{RELEASES}/{release.pk}/events"
    places = threading.BoundedSemaphore(1)
    monkeypatch.setattr(waiting, "_places", places)
    monkeypatch.setattr(waiting, "_is_full", threading.Event())
    stream = script.get(events, accept="text/event-stream")
    refused = script.get(events, accept="text/event-stream")
    assert problem(refused, 503)["detail"].startswith("Too many wait")
    problem(script.get(f"{RELEASES}/{release.pk}/wait"), 503)
    answer(script.post(f"{RELEASES}/{release.pk}/commands/rollback", {"reason": "no"}))
    assert list(stream)
    assert places.acquire(blocking=False)
    said = [(one.levelname, one.name) for one in caplog.records if "wait for" in one.message]
    assert said == [("WARNING", "releases.api.waiting")]
    assert "ERROR" not in {one.levelname for one in caplog.records}


def test_a_stream__in_which_nothing_happens__says_that_it_lives_and_ends_for_a_new_one(
    script: Script, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = started(script, body)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    stream = script.get(f"{RELEASES}/{release.pk}/events", accept="text/event-stream")
    pieces = [piece for piece in stream if not piece.startswith(b"id: ")]
    assert pieces == [b"retry: 1000\n\n", *[b":\n\n"] * 99]
    assert now == [300.0]
