"""Redis dies, freezes, is full, cannot be reached, or is written to by a stranger."""

import signal
import time
from typing import Any, cast

from tests.faults.harness import Figure, fault
from tests.faults.installation import EVALUATION, Installation
from tests.faults.proxy import proxying
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.support.waiting import wait_until

FROZEN_S = 30.0
FLAG_FIELD = "flag/payments-kill-switch"


def noticeable(quiet_ms: float) -> float:
    """What a p99 may rise to before we call it changed: on two cores everything costs a little."""
    return 2 * quiet_ms + 10


@fault("Redis kill -9 and back empty", in_ci=True)
def redis_killed(place: Installation) -> list[Figure]:
    place.redis.kill()
    place.write()
    place.redis.start()
    return [Figure("published again after", place.seconds_until(place.is_current), "s", 3)]


@fault("Redis SIGSTOP 30 s")
def redis_frozen(place: Installation) -> list[Figure]:
    quiet = place.load.quiet(3).p99_ms
    place.redis.freeze()
    began, answers = time.monotonic(), []
    while time.monotonic() - began < FROZEN_S:
        answers.append(place.write())
        time.sleep(3)
    frozen = place.load.since(began)
    place.redis.thaw()
    seen_s = place.seconds_until(place.is_current)
    slowest_s = max(one.elapsed.total_seconds() if one else 99 for one in answers)
    refused = sum(one is None or one.status_code != 200 for one in answers)
    return [
        Figure("p99 quiet", quiet, "ms"),
        Figure("p99 frozen", frozen.p99_ms, "ms", noticeable(quiet)),
        Figure("toggles not saved", refused, "", 0),
        Figure("slowest toggle", slowest_s, "s", 5),
        Figure("visible after the thaw", seen_s, "s", 3),
    ]


@fault("Redis full (maxmemory, noeviction)", in_ci=True)
def redis_full(place: Installation) -> list[Figure]:
    with place.redis.client() as client:
        client.config_set("maxmemory", "1")
        before = {key: client.dump(key) for key in _published(place)}
        place.write()
        announced = sum(client.dump(key) != old for key, old in before.items())
        behind = not place.is_current()
        wait_until(lambda: "OutOfMemoryError" in place.stack.output, what="the alert in the log")
        client.config_set("maxmemory", "0")
    return [
        Figure("keys changed while full", announced, "", 0),
        Figure("toggles that looked live", int(not behind), "", 0),
        Figure("published after", place.seconds_until(place.is_current), "s", 3),
    ]


def _published(place: Installation) -> list[str]:
    return [place.keys.head, place.keys.documents, place.keys.stream]


@fault("stream cut or blackholed")
def stream_blackholed(place: Installation) -> list[Figure]:
    with (
        proxying(place.redis.socket) as proxy,
        place.another_evaluator(proxy.url) as behind,
    ):
        wait_until(lambda: _value(place, behind) is place.enabled, what="the second evaluator")
        proxy.blackhole(only=b"XREAD")
        slowest_s = 0.0
        for _change in range(5):
            place.write()
            slowest_s = max(slowest_s, _seconds_until_current(place, behind))
        proxy.heal()
        wait_until(lambda: _value(place, behind) is place.enabled, what="the second evaluator")
        began = time.monotonic()
        proxy.hush()
        place.write()
        _seconds_until_current(place, behind)
        hushed_s = time.monotonic() - began
        proxy.cut()
        time.sleep(1)
        place.write()
        proxy.heal()
        healed_s = _seconds_until_current(place, behind)
    return [
        Figure("fresh by comparing after", slowest_s, "s", 1.5),
        Figure("written and fresh after all connections fell silent", hushed_s, "s", 3),
        Figure("fresh after a cut within", healed_s, "s", 3),
    ]


def _value(place: Installation, evaluator: EvaluatorProcess) -> object:
    headers = {"Authorization": f"Bearer {place.server}"}
    answer = evaluator.http.post(EVALUATION, headers=headers, json={"context": {}})
    return answer.json().get("value")


def _seconds_until_current(place: Installation, evaluator: EvaluatorProcess) -> float:
    return place.seconds_until(lambda: _value(place, evaluator) is place.enabled)


@fault("document set back to an older genuine one")
def document_set_back(place: Installation) -> list[Figure]:
    """Nobody loads it meanwhile: the relay finds it. Then somebody does, and says so."""
    with place.redis.client() as client:
        name, old = place.keys.documents, _stored(client, place.keys.documents)
        place.write()
        place.seconds_until(place.is_current)
        client.hset(name, FLAG_FIELD, old)
        healed_s = place.seconds_until(lambda: _stored(client, name) != old)
        began = time.monotonic()
        client.hset(name, FLAG_FIELD, old)
        with place.another_evaluator() as starting:
            served = _first_value(place, starting)
            served_s = time.monotonic() - began
        wait_until(lambda: _stored(client, name) != old, within_s=90, what="the healing")
        told_s = time.monotonic() - began
    return [
        Figure("healed without a reader after", healed_s, "s", 60),
        Figure("old answers of one that starts", int(served is not place.enabled), "", 0),
        Figure("set back and started: right answer after", served_s, "s", 10),
        Figure("healed with one that starts after", told_s, "s", 60),
    ]


def _stored(client: Any, name: str) -> bytes:
    return cast(bytes, client.hget(name, FLAG_FIELD))


def _first_value(place: Installation, evaluator: EvaluatorProcess) -> object:
    """The first value that is answered at all."""

    def ask() -> tuple[object] | None:
        value = _value(place, evaluator)
        return None if value is None else (value,)

    found = wait_until(ask, within_s=60, what="an answer")
    assert found is not None
    return found[0]


@fault("stale head and document, forged entry", in_ci=True)
def stale_state(place: Installation) -> list[Figure]:
    """The whole of an older state, and a stream that was written to, before a running evaluator."""
    with place.redis.client() as client:
        keys = (place.keys.head, place.keys.documents)
        old = {key: client.dump(key) or b"" for key in keys}
        place.write()
        place.seconds_until(place.is_current)
        refused = place.metric("refused_total")
        place.signal("manage.py relay", signal.SIGSTOP)  # else it mends before anybody looks
        began = time.monotonic()
        with client.pipeline() as pipe:  # an evaluator woken between them would find all as it was
            for key, state in old.items():
                pipe.restore(key, 0, state, replace=True)
            pipe.xadd(place.keys.stream, {"epoch": "f", "base": 1, "version": 9**9, "head": b"x"})
            pipe.execute()
        counted_s = place.seconds_until(lambda: place.metric("refused_total") > refused)
        place.signal("manage.py relay", signal.SIGCONT)
        mended_s = place.seconds_until(lambda: client.dump(keys[0]) != old[keys[0]])
        wrong = sum(
            one.value is not place.enabled for one in place.load.since(began).answers if one.value
        )
    return [
        Figure("published over it after", mended_s, "s", 3),
        Figure("counted as refused after", counted_s, "s", 2),
        Figure("old answers", wrong, "", 0),
    ]


@fault("stream with the last possible id, keys of wrong types", in_ci=True)
def impossible_keys(place: Installation) -> list[Figure]:
    slowest_s = 0.0
    with place.redis.client() as client:
        for name in (*_published(place), "aviary:environments", "aviary:environments:changes"):
            with client.pipeline() as pipe:
                pipe.delete(name)
                if name == place.keys.stream:
                    pipe.xadd(name, {"x": "y"}, id="18446744073709551615-18446744073709551615")
                else:
                    pipe.zadd(name, {"x": 1})
                pipe.execute()
            place.write()
            slowest_s = max(slowest_s, place.seconds_until(place.is_current))
        named = place.stack.output.count("from Redis: ")
    return [
        Figure("published past it after", slowest_s, "s", 3),
        Figure("impossible keys not named in the log", int(named == 0), "", 0),
    ]
