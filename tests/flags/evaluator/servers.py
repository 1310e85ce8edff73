"""Real processes for the tests: a Redis and an evaluator, both started and stopped at will."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import redis

from portal.supervisor.processes import find_server
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]
SNAPSHOT_KEY = "a-snapshot-key-only-for-these-tests"
METRICS_TOKEN = "a-metrics-token-only-for-these-tests"
MONITORING = {"Authorization": f"Bearer {METRICS_TOKEN}"}
DEADLINE_S = 30.0


class RedisServer:
    """A Redis without persistence on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = find_server()
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(self.socket), "--save", ""],
            stdout=subprocess.DEVNULL,
            cwd=self.socket.parent,
        )
        wait_until(self._answers)

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))

    def kill(self) -> None:
        """As kill -9: nothing is saved."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.exceptions.ConnectionError:
                return False


class EvaluatorProcess:
    """``python -m flags.evaluator`` on a free port, and a client for it."""

    def __init__(
        self,
        redis_url: str,
        folder: Path,
        *,
        snapshot_key: str = SNAPSHOT_KEY,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._log = folder / f"evaluator-{id(self)}.log"
        self.copies = folder / "evaluator"
        self._environment = {
            **os.environ,
            "AVIARY_VAR": str(folder),
            "REDIS_URL": redis_url,
            "SNAPSHOT_KEY": snapshot_key,
            "EVALUATOR_HOST": "127.0.0.1",
            "EVALUATOR_PORT": "0",
            "METRICS_TOKEN": METRICS_TOKEN,
            **(settings or {}),
        }

    def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flags.evaluator"],
                env=self._environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().split()[-1]
        self.port = int(self.url.rpartition(":")[2])
        self.http = httpx.Client(base_url=self.url, timeout=5)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; returns its exit status."""
        self.http.close()
        self._process.send_signal(number)
        try:
            return self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
            assert self._process.stdout is not None
            self._process.stdout.close()

    @contextlib.contextmanager
    def another(self, **settings: str) -> Iterator["EvaluatorProcess"]:
        """A second process with the same settings, or others as named, started now."""
        url = self._environment["REDIS_URL"]
        second = EvaluatorProcess(url, self._log.parent, settings=settings)
        second.start()
        try:
            yield second
        finally:
            second.stop()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        return self._log.read_text()

    def health(self) -> dict[str, Any]:
        """What /health tells those who may see everything."""
        answer = self.http.get("/health", headers=MONITORING)
        assert answer.status_code == 200
        document: dict[str, Any] = answer.json()
        return document

    def is_ready(self) -> bool:
        return self.http.get("/ready").status_code == 200

    def wait_until_ready(self) -> None:
        wait_until(self.is_ready)

    def metric(self, name: str, **labels: str) -> float:
        """One number of /metrics; 0 while it was never counted."""
        told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
        wanted = f"aviary_evaluator_{name}{{{told}}} " if told else f"aviary_evaluator_{name} "
        for line in self.http.get("/metrics", headers=MONITORING).text.splitlines():
            if line.startswith(wanted):
                return float(line.removeprefix(wanted))
        return 0.0

    def refused(self, cause: str) -> float:
        return self.metric("refused_total", cause=cause)
