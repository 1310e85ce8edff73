"""The whole product, started the way ``make up`` starts it."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support import migrated, processes, settings_env
from tests.support.ports import free_port
from tests.support.waiting import wait_until

START_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 30.0
_LAST_LINE_OF_GREETING = "Ctrl-C stops everything"


class Stack:
    """``python -m portal.supervisor`` in a folder of its own, on ports of its own.

    Its SQLite database has its tables before the first start, unless that starts from nothing.
    """

    def __init__(
        self,
        var: Path,
        *,
        demo: bool = True,
        settings: Mapping[str, str] | None = None,
        from_nothing: bool = False,
    ) -> None:
        self.var = var
        # Making the tables takes longer than all the rest of a start.
        self._has_tables = from_nothing or "DATABASE_URL" in (settings or {})
        self.port, self.evaluator_port = free_port(), free_port()
        self.lines: list[str] = []
        self.environment = settings_env.clean_environment() | {
            "AVIARY_VAR": str(var),
            "AVIARY_DEMO": "1" if demo else "0",
            "PORT": str(self.port),
            "EVALUATOR_PORT": str(self.evaluator_port),
            "WEB_THREADS": "4",
            # Sessions are shared by many tests, which together may take long.
            "AVIARY_REAUTHENTICATION_MINUTES": "1440",
            **(settings or {}),
        }
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._inside: subprocess.Popen[str] | None = None

    @property
    def portal_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def evaluator_url(self) -> str:
        return f"http://127.0.0.1:{self.evaluator_port}"

    @property
    def admin_password(self) -> str:
        return (self.var / "admin-password").read_text().strip()

    @property
    def demo_token(self) -> str:
        return (self.var / "demo-token").read_text().strip()

    @property
    def output(self) -> str:
        """Everything it has said so far."""
        return "".join(self.lines)

    def spawn(self) -> None:
        """Start it without waiting for anything."""
        self.lines = []
        self._give_tables()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "portal.supervisor"],
            cwd=settings_env.ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def start(self) -> None:
        """Start it and wait for its greeting."""
        self.spawn()
        wait_until(
            lambda: _LAST_LINE_OF_GREETING in self.output or not self.runs(),
            within_s=START_TIMEOUT_S,
            what="the greeting",
        )
        assert self.runs(), f"Aviary did not start:\n{self.output}"

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self, within_s: float = STOP_TIMEOUT_S) -> int:
        """Wait until it has ended by itself; returns its exit status."""
        assert self._process is not None, "it was never started"
        assert self._reader is not None
        status = self._process.wait(within_s)
        self._reader.join(STOP_TIMEOUT_S)
        return status

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end. Fails when a process of it is left; returns its exit status."""
        assert self._process is not None, "it was never started"
        self._leave()
        self._process.send_signal(number)
        try:
            status = self.wait()
            left = self.processes()
        finally:
            self.kill()
        assert not left, f"still there after the end: {left}"
        return status

    def kill(self) -> None:
        """End whatever is left of it, at once."""
        self._leave()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        for pid in self.processes():
            processes.kill(pid)

    def processes(self) -> dict[int, str]:
        """Its processes' command lines by process id."""
        return processes.of_installation(self.var)

    def pid_of(self, words: str) -> int:
        """The oldest process whose command line has these words in it."""
        found = [pid for pid, command in self.processes().items() if words in command]
        return min(found, key=lambda pid: (processes.age_of(pid), pid))

    def redis_pid(self) -> int:
        return self.pid_of("redis-server")

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run ``manage.py`` with its settings, as a person would beside it."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            check=False,
            cwd=settings_env.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
        )

    def inside(self, function: Callable[..., Any], **arguments: object) -> Any:
        """What a function returns that is called inside it, by a process with its settings.

        Arguments and what it returns are JSON. Unlike ``manage`` it starts Django but once. It is
        none of the processes that end at a failpoint.
        """
        if self._inside is None:
            unharmed = {**self.environment, "AVIARY_FAILPOINTS": ""}
            self._inside = subprocess.Popen(
                [sys.executable, "-m", "tests.support.inside"],
                cwd=settings_env.ROOT,
                env=unharmed,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._inside.stdin is not None
        assert self._inside.stdout is not None
        called = json.dumps([function.__module__, function.__name__, arguments])
        print(called, file=self._inside.stdin, flush=True)
        returned, failure = json.loads(self._inside.stdout.readline())
        assert not failure, failure
        return returned

    def _leave(self) -> None:
        if self._inside is not None:
            self._inside.communicate()
            self._inside = None

    def _give_tables(self) -> None:
        if not self._has_tables and not self.var.exists():
            self.var.mkdir(mode=0o700)
            migrated.copy_to(self.var / "aviary.sqlite3")

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self.lines.append(line)
