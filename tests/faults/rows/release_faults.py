"""How soon a release is taken back, and what a worker that wakes late changes."""

import os
import signal
import time
from datetime import UTC, datetime
from functools import partial

import httpx

from tests.faults.harness import Figure, fault
from tests.faults.installation import ENVIRONMENT, PROJECT, Installation

API = f"/api/v1/projects/{PROJECT}"
FLAG = f"{API}/environments/{ENVIRONMENT}/flags"
TIMES = 10
DIGEST = "sha256:" + "a" * 64


def _service(place: Installation, key: str) -> None:
    """A service that is routed by a flag of its own."""
    variants = [{"key": one, "value": one} for one in ("blue", "green")]
    flag = {"key": key, "value_type": "string", "variants": variants}
    assert place.api("POST", f"{API}/flags", json=flag).status_code == 201
    tag = place.api("GET", f"{FLAG}/{key}").headers["etag"]
    serves = {"enabled": True, "fallthrough": {"variant": "blue"}}
    saved = place.api("PATCH", f"{FLAG}/{key}", json=serves, headers={"If-Match": tag})
    assert saved.status_code == 200, saved.text
    named = place.api("PUT", f"{API}/services/{key}", json={"name": key, "owners": []})
    assert named.status_code in (200, 201), named.text
    setup = {
        "router": {"kind": "flag", "flag": key, "variants": ["blue", "green"]},
        "checks": [{"key": "errors", "kind": "error_rate", "threshold": 5}],
    }
    address = f"{API}/services/{key}/environments/{ENVIRONMENT}"
    made = place.api("PUT", address, json=setup)
    assert made.status_code == 200, made.text


def _release(place: Installation, key: str, version: str) -> str:
    """A canary that has its first share; its address."""
    steps = [{"share": 10, "soak_s": 3600}, {"share": 100}]
    document = {
        "service": key,
        "environment": ENVIRONMENT,
        "artefact": {"version": version, "digest": DIGEST},
        "strategy": "canary",
        "plan": {"steps": steps, "proof_of_return": False},
    }
    made = place.api("POST", f"{API}/releases", json=document)
    assert made.status_code == 201, made.text
    return f"{API}/releases/{made.json()['number']}"


def _tell(place: Installation, key: str, version: str, *, count: int, errors: int) -> None:
    outcome = {"service": key, "version": version, "count": count, "errors": errors}
    url = f"http://127.0.0.1:{place.stack.evaluator_port}/api/v1/telemetry"
    headers = {"Authorization": f"Bearer {place.server}"}
    answer = httpx.post(url, json={"outcomes": [outcome]}, headers=headers, timeout=10)
    assert answer.json()["accepted"] == 1, answer.text


def _is_back(place: Installation, release: str) -> bool:
    return _state(place, release) == "rolled_back"


def _state(place: Installation, release: str) -> str:
    return str(place.api("GET", release).json()["state"])


@fault("errors of a canary, and the time until it is taken back")
def taken_back(place: Installation) -> list[Figure]:
    key = f"taken-back-{datetime.now(UTC):%H%M%S}"
    _service(place, key)
    took = []
    for number in range(TIMES):
        release = _release(place, key, f"2.{number}")
        time.sleep(11)  # the next stretch of ten seconds is of this step
        _tell(place, key, f"2.{number}", count=200, errors=100)
        took.append(place.seconds_until(partial(_is_back, place, release)))
    place.mark_writes()
    return [
        Figure(f"of {TIMES} rollbacks, the slowest after its POST", max(took), "s", 25),
        Figure("the middle one", sorted(took)[TIMES // 2], "s"),
    ]


@fault("a worker that is stopped over a release, and wakes after its rollback")
def wakes_late(place: Installation) -> list[Figure]:
    key = f"wakes-late-{datetime.now(UTC):%H%M%S}"
    _service(place, key)
    release = _release(place, key, "2.0")
    place.fail_at("after-measuring", signal.SIGSTOP)
    place.seconds_until(lambda: not place.is_armed("after-measuring"))
    began = time.monotonic()
    answer = place.api("POST", f"{release}/commands/rollback", json={"reason": "pages are blank"})
    took_s = time.monotonic() - began
    assert answer.status_code == 200, answer.text
    for pid in place.stack.processes():
        os.kill(pid, signal.SIGCONT)
    time.sleep(6)  # a tick and more
    served = place.api("GET", f"{FLAG}/{key}").json()["fallthrough"]
    place.mark_writes()
    return [
        Figure("rolled back while the worker was stopped after", took_s, "s", 5),
        Figure(
            "states other than rolled back", int(_state(place, release) != "rolled_back"), "", 0
        ),
        Figure("routes changed by who woke late", int(served != {"variant": "blue"}), "", 0),
    ]
