"""Bad versions behind a real haproxy, with real traffic, and nobody touching anything: caught by
what they report or by their probes, and taken back."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.harness import Figure, fault
from tests.faults.installation import ENVIRONMENT, PROJECT, Installation
from tests.support import haproxy, settings_env
from tests.support.backend import COMMAND
from tests.support.haproxy import HaproxyServer, Load
from tests.support.ports import free_port
from tests.support.waiting import wait_until

API = f"/api/v1/projects/{PROJECT}"
SETUP = f"{API}/services/shop/environments/{ENVIRONMENT}"
DIGEST = "sha256:" + "b" * 64
EDGE = Path(tempfile.gettempdir()) / f"aviary-edge-{os.getpid()}.sock"
PLACES = ("blue", "green", "base")
CHECKS = [
    {"key": "errors", "kind": "error_rate", "threshold": 5, "minimum_requests": 50},
    {"key": "slow", "kind": "latency", "threshold": 300, "minimum_requests": 50},
    {"key": "alive", "kind": "http", "threshold": 3, "url": "{{address}}/health", "period_s": 1},
]
STEPS = [{"share": 20, "soak_s": 120}, {"share": 100}]
CALM = 300
"""Requests before a release, by which the stable version is known."""


@contextmanager
def _running(place: Installation, log: Path) -> Iterator[HaproxyServer]:
    """A haproxy, a deployer, and version 1.9 of a service in its blue place."""
    ports = {name: free_port() for name in PLACES}
    at = {haproxy.PLACES[name]: f"127.0.0.1:{port}" for name, port in ports.items()}
    with _deployer(place, log, ports) as url, haproxy.running(**at) as edge:
        EDGE.unlink(missing_ok=True)
        EDGE.symlink_to(edge.socket)
        named = place.api("PUT", f"{API}/services/shop", json={"name": "Shop", "owners": []})
        assert named.status_code in (200, 201), named.text
        setup = {
            "router": {
                "kind": "haproxy",
                "haproxy": ["edge"],
                "map": edge.map,
                "key": "shop",
                "places": ["blue", "green"],
            },
            "deployer": {
                "kind": "webhook",
                "url": url,
                "addresses": {name: f"http://127.0.0.1:{port}" for name, port in ports.items()},
            },
            "checks": CHECKS,
        }
        made = place.api("PUT", SETUP, json=setup)
        assert made.status_code == 200, made.text
        try:
            yield edge
        finally:
            EDGE.unlink(missing_ok=True)


@contextmanager
def _deployer(place: Installation, log: Path, ports: dict[str, int]) -> Iterator[str]:
    secret = _secret(place)
    port = free_port()
    config = {
        "port": port,
        "secret": secret,
        "places": {name: {"port": one} for name, one in ports.items()},
        "command": COMMAND,
        "ready": "/ready",
    }
    file = log / "deployer.json"
    file.write_text(json.dumps(config))
    reports = f"{place.stack.evaluator_url} shop {place.server}"
    environment = {**os.environ, "REPORT_TO": reports, "REQUEST_LOG": str(log)}
    old = [*COMMAND[:3], str(ports["blue"]), "1.9", "blue"]
    programs = [
        subprocess.Popen(command, env=environment, cwd=settings_env.ROOT)
        for command in (
            [sys.executable, "-m", "releases.deployers.processes", str(file)],
            old,
        )
    ]
    try:
        wait_until(lambda: _listens(ports["blue"]), within_s=30, what="version 1.9")
        yield f"http://127.0.0.1:{port}/"
    finally:
        for program in programs:
            program.terminate()
            program.wait(10)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _secret(place: Installation) -> str:
    """What the setup's page shows to who may deploy."""
    code = (
        "from releases.routers.webhook import secret_for;"
        f"print(secret_for({PROJECT!r}, 'shop', {ENVIRONMENT!r}))"
    )
    done = place.stack.manage("shell", "-v", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _release(place: Installation, version: str) -> str:
    document = {
        "service": "shop",
        "environment": ENVIRONMENT,
        "artefact": {"version": version, "digest": DIGEST},
        "strategy": "canary",
        "plan": {"steps": STEPS, "proof_of_return": False},
    }
    made = place.api("POST", f"{API}/releases", json=document)
    assert made.status_code == 201, made.text
    return f"{API}/releases/{made.json()['number']}"


def _requests(log: Path, version: str) -> list[tuple[float, int, float]]:
    """What backends of a version wrote down: when, status, milliseconds."""
    found = []
    for file in log.glob(f"{version}-*.log"):
        for line in file.read_text().splitlines():
            at, status, ms = line.split()
            found.append((float(at), int(status), float(ms)))
    return sorted(found)


def _caught(place: Installation, version: str, check: str) -> list[Figure]:
    log = settings_env.temporary_folder()
    with _running(place, log) as edge, Load(edge.shop) as load:
        wait_until(lambda: len(_requests(log, "1.9")) >= CALM, within_s=60, what="calm traffic")
        calm = sorted(ms for _at, _status, ms in _requests(log, "1.9"))
        release = _release(place, version)
        took = place.seconds_until(lambda: _over(place, release))
        found: dict[str, Any] = place.api("GET", release).json()
        load.wait_for(50)
        wait_until(lambda: _settled(log, load), within_s=20, what="what backends write down")
    stable = _requests(log, "1.9")
    slowest = max(ms for _at, _status, ms in stable)
    p99 = calm[int(len(calm) * 0.99)]
    because = _because(place, release)
    place.mark_writes()
    return [
        Figure("taken back after", took, "s", 90),
        Figure("releases that did not go back", int(found["state"] != "rolled_back"), "", 0),
        Figure("taken back by another check", int(because.get("check") != check), "", 0),
        Figure("numbers that the history lacks", int(because.get("value") is None), "", 0),
        Figure("requests of the stable version", len(stable)),
        Figure("of those failed", sum(status >= 500 for _at, status, _ms in stable), "", 0),
        Figure("the slowest of them", slowest, "ms", 2 * p99),
        Figure("requests of the bad version", len(_requests(log, version))),
    ]


def _over(place: Installation, release: str) -> bool:
    return place.api("GET", release).json()["state"] in ("rolled_back", "failed", "succeeded")


def _settled(log: Path, load: Load) -> bool:
    answered = len(load.answers)
    return len(_requests(log, "1.9")) >= CALM and answered > 0


def _because(place: Installation, release: str) -> dict[str, Any]:
    """What the history says took it back."""
    rows = place.api("GET", f"{release}/events").json()["events"]
    (begun,) = [one for one in rows if one["event"] == "release.rollback_started"]
    return dict(begun["after"]["because"])


@fault("a version that fails every third request, behind haproxy", in_ci=True,
       AVIARY_HAPROXY=f"edge={EDGE}")  # fmt: skip
def errors_behind_haproxy(place: Installation) -> list[Figure]:
    return _caught(place, "2.0-errors", "errors")


@fault("a version that is slow, behind haproxy", AVIARY_HAPROXY=f"edge={EDGE}")
def slow_behind_haproxy(place: Installation) -> list[Figure]:
    return _caught(place, "2.1-slow", "slow")


@fault("a version that dies, behind haproxy", AVIARY_HAPROXY=f"edge={EDGE}")
def dead_behind_haproxy(place: Installation) -> list[Figure]:
    return _caught(place, "2.2-dies", "alive")
