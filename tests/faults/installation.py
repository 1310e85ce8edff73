"""The whole product on a Redis of its own, under load, with a hand on each part of it."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.load import Load
from tests.support import settings_env
from tests.support.redis_server import RedisServer
from tests.support.stack import Stack
from tests.support.waiting import wait_until

PROJECT, ENVIRONMENT, FLAG = "demo", "development", "payments-kill-switch"
EVALUATION = f"/ofrep/v1/evaluate/flags/{FLAG}"
CONFIGURATION = f"/api/v1/projects/{PROJECT}/environments/{ENVIRONMENT}/flags/{FLAG}"
HISTORY = f"/api/v1/projects/{PROJECT}/history?environment={ENVIRONMENT}&subject={FLAG}"
# The portal promises 5 s for a write; a machine under load gets some more before we give up.
WRITE_TIMEOUT_S = 15.0


@dataclass
class Installation:
    """A running Aviary: web, relay, worker, beat, evaluator and its Redis.

    Rows write by :meth:`write`, to one flag that the load asks for, and break what they like.
    """

    stack: Stack
    redis: RedisServer
    admin: str
    server: str
    load: Load = field(init=False)
    acknowledged: int = 0
    attempted: int = 0
    enabled: bool = True

    def __post_init__(self) -> None:
        place = f"{PROJECT}/{ENVIRONMENT}"
        port = self.stack.evaluator_port
        self.load = Load(port=port, path=EVALUATION, token=self.server, environment=place)
        # From now on the flag's version is the environment's, which the new keys have raised.
        answer = self.write()
        assert answer is not None, "no answer to the first write"
        answer.raise_for_status()
        self.mark_writes()

    # Writing

    def write(self, *, enabled: bool | None = None) -> httpx.Response | None:
        """Turn the flag on or off, the other way round than before; None where no answer came."""
        wanted = (not self.enabled) if enabled is None else enabled
        self.attempted += 1
        try:
            version = self.api("GET", CONFIGURATION).headers["etag"]
            answer = self.api(
                "PATCH", CONFIGURATION, json={"enabled": wanted}, headers={"If-Match": version}
            )
        except (httpx.HTTPError, KeyError):
            return None
        if answer.status_code == 200:
            self.acknowledged += 1
            self.enabled = wanted
        return answer

    def api(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask the management API, with an admin key of the environment."""
        headers = {"Authorization": f"Bearer {self.admin}", **more.pop("headers", {})}
        url = self.stack.portal_url + path
        return httpx.request(method, url, headers=headers, timeout=WRITE_TIMEOUT_S, **more)

    def mark_writes(self) -> None:
        """Count writes from here on; for faults that set the database back."""
        self._changes, self._records = self._count_writes()
        self.acknowledged = self.attempted = 0

    def check_writes(self) -> dict[str, int]:
        """An acknowledged write is one state change and one audit row; no other leaves half."""
        changes, records = self._count_writes()
        changes, records = changes - self._changes, records - self._records
        return {
            "changes without an audit row, or rows without one": abs(changes - records),
            "acknowledged writes lost": max(self.acknowledged - changes, 0),
            "writes that nobody asked for": max(changes - self.attempted, 0),
        }

    def _count_writes(self) -> tuple[int, int]:
        """Changes of the environment and audit rows of the flag; nobody else writes here."""
        version = self.api("GET", CONFIGURATION).headers["etag"].strip('"')
        return int(version), self.api("GET", HISTORY).json()["count"]

    # Looking

    def value(self) -> object:
        """What the evaluator answers for the flag now; None for an error."""
        headers = {"Authorization": f"Bearer {self.server}"}
        url = self.stack.evaluator_url + EVALUATION
        answer = httpx.post(url, headers=headers, json={"context": {}}, timeout=5)
        return answer.json().get("value") if answer.status_code == 200 else None

    def is_current(self) -> bool:
        """Whether the evaluator answers with what was last acknowledged."""
        return self.value() is self.enabled

    def health(self) -> dict[str, Any]:
        """What the evaluator says about itself."""
        found: dict[str, Any] = httpx.get(f"{self.stack.evaluator_url}/health", timeout=5).json()
        return found

    def seconds_until(self, probe: Callable[[], object], *, within_s: float = 90.0) -> float:
        """How long it takes until the probe is true; fails when that is too long."""
        began = time.monotonic()
        wait_until(lambda: bool(probe()), within_s=within_s, what=getattr(probe, "__name__", "it"))
        return time.monotonic() - began

    # Breaking

    def signal(self, words: str, number: signal.Signals) -> None:
        """Send a signal to the oldest process with these words in its command line."""
        os.kill(self.stack.pid_of(words), number)


@contextmanager
def installed(settings: Mapping[str, str]) -> Iterator[Installation]:
    """A new installation, under load."""
    folder = settings_env.temporary_folder()
    redis = RedisServer(folder)
    redis.start()
    stack = Stack(folder / "var", settings={"REDIS_URL": redis.url, **settings})
    try:
        stack.start()
        place = Installation(stack, redis, _key(stack, "admin"), _key(stack, "server"))
        wait_until(place.is_current, within_s=20, what="the first evaluation")
        place.load.start()
        yield place
        place.load.stop()
    finally:
        stack.kill()
        redis.kill()


def _key(stack: Stack, kind: str) -> str:
    done = stack.manage(
        "createkey", "--project", PROJECT, "--environment", ENVIRONMENT, "--kind", kind
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
