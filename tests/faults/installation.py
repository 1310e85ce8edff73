"""The whole product on a Redis of its own, under load, with a hand on each part of it."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from flags.channel import EnvironmentKeys
from tests.faults.load import Load
from tests.faults.postgres_server import PostgresServer
from tests.flags.evaluator.servers import EvaluatorProcess
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
    postgres: PostgresServer | None = None
    load: Load = field(init=False)
    """What asks the evaluator while a fault lasts."""
    acknowledged: int = 0
    attempted: int = 0
    enabled: bool = True

    def start_load(self, every_s: float) -> None:
        """Load it anew, and count from here."""
        wait_until(self.is_current, within_s=60, what="the evaluator")
        # From now on the flag's version is the environment's, which new keys have raised.
        wait_until(
            lambda: (answer := self.write()) and answer.status_code == 200,
            within_s=60,
            what="the first write",
        )
        wait_until(self.is_current, within_s=60, what="the first write being live")
        self.mark_writes()
        place = f"{PROJECT}/{ENVIRONMENT}"
        port = self.stack.evaluator_port
        self.load = Load(
            port=port, path=EVALUATION, token=self.server, environment=place, every_s=every_s
        )
        self.load.start()

    # Writing

    def write(self, *, enabled: bool | None = None) -> httpx.Response | None:
        """Turn the flag on or off, the other way round than before; None where no answer came."""
        wanted = (not self.enabled) if enabled is None else enabled
        try:
            version = self.api("GET", CONFIGURATION).headers["etag"]
        except (httpx.HTTPError, KeyError):
            return None
        return self.patch(wanted, **{"If-Match": version})

    def patch(self, wanted: bool, **headers: str) -> httpx.Response | None:
        """Turn the flag on or off with these headers; without If-Match that is turning off."""
        self.attempted += 1
        try:
            answer = self.api("PATCH", CONFIGURATION, json={"enabled": wanted}, headers=headers)
        except httpx.HTTPError:
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
        """Count writes from here on; for faults that change more than the flag."""
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

    def position(self) -> tuple[str, int]:
        """Epoch and version that the evaluator answers from."""
        found = self.place()
        return found["epoch"], found["version"]

    def place(self) -> dict[str, Any]:
        """What the evaluator says of the environment."""
        (found,) = (
            one
            for one in self.health()["environments"]
            if (one["project"], one["environment"]) == (PROJECT, ENVIRONMENT)
        )
        return dict(found)

    def metric(self, name: str) -> float:
        """The sum of a metric of the evaluator over all its labels."""
        text = httpx.get(f"{self.stack.evaluator_url}/metrics", timeout=5).text
        lines = [
            line for line in text.splitlines() if re.match(rf"aviary_evaluator_{name}\b", line)
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def health(self) -> dict[str, Any]:
        """What the evaluator says about itself."""
        found: dict[str, Any] = httpx.get(
            f"{self.stack.evaluator_url}/health",
            headers={"Authorization": f"Bearer {self.server}"},
            timeout=5,
        ).json()
        return found

    def seconds_until(self, probe: Callable[[], object], *, within_s: float = 90.0) -> float:
        """How long it takes until the probe is true; fails when that is too long."""
        began = time.monotonic()
        wait_until(lambda: bool(probe()), within_s=within_s, what=getattr(probe, "__name__", "it"))
        return time.monotonic() - began

    # Breaking

    @contextmanager
    def another_evaluator(self, redis_url: str = "") -> Iterator["EvaluatorProcess"]:
        """One more evaluator, which reaches Redis as told."""
        values = dotenv(self.stack.var / "aviary.env")
        second = EvaluatorProcess(
            redis_url or self.redis.url,
            settings_env.temporary_folder(),
            snapshot_key=values["SNAPSHOT_KEY"],
        )
        second.start()
        try:
            yield second
        finally:
            second.stop()

    @property
    def keys(self) -> EnvironmentKeys:
        """The environment's keys in Redis."""
        return EnvironmentKeys(int(self.place()["id"]))

    def fail_at(self, point: str, number: signal.Signals) -> None:
        """Let the next process that comes to a failpoint send this signal to itself."""
        self.failpoints.mkdir(exist_ok=True)
        file = self.failpoints / f"{point}.new"
        file.write_text(str(int(number)))
        file.rename(self.failpoints / point)

    def is_armed(self, point: str) -> bool:
        return (self.failpoints / point).exists()

    @property
    def failpoints(self) -> Path:
        return Path(self.stack.environment["AVIARY_FAILPOINTS"])

    def signal(self, words: str, number: signal.Signals) -> None:
        """Send a signal to the oldest process with these words in its command line."""
        os.kill(self.stack.pid_of(words), number)


@contextmanager
def installed(settings: Mapping[str, str], server: PostgresServer | None) -> Iterator[Installation]:
    """A new installation, on SQLite or on a PostgreSQL server."""
    folder = settings_env.temporary_folder()
    redis = RedisServer(folder)
    redis.start()
    failpoints = str(folder / "failpoints")
    chosen = {"REDIS_URL": redis.url, "AVIARY_FAILPOINTS": failpoints, **settings}
    if server is not None:
        chosen["DATABASE_URL"] = server.url
    stack = Stack(folder / "var", settings=chosen)
    try:
        stack.start()
        place = Installation(stack, redis, _key(stack, "admin"), _key(stack, "server"), server)
        yield place
    finally:
        stack.kill()
        redis.kill()


def dotenv(file: Path) -> dict[str, str]:
    """The settings that an installation has made for itself."""
    lines = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    return {name: value for name, _equals, value in lines}


def _key(stack: Stack, kind: str) -> str:
    done = stack.manage(
        "createkey", "--project", PROJECT, "--environment", ENVIRONMENT, "--kind", kind
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
