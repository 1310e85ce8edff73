"""What a supervisor that was killed left running: the next one finds it here, and stops it.

``var/processes.json`` names each process with the moment it started, so that one that has got its
number meanwhile is left alone. On Linux the processes end by themselves as well, but take a moment.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_PROC = Path("/proc")
_SUPERVISOR = "supervisor"
_STOP_TIMEOUT_S = 10.0
_PR_SET_PDEATHSIG = 1
# Looked up here: a child must not wait for a lock that another thread held when it was forked.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class AlreadyRunning(RuntimeError):
    """Another supervisor works in the same folder."""


class Register:
    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "processes.json"
        self._noted: dict[str, tuple[int, str]] = {}
        self._lock = threading.Lock()

    def take_over(self) -> list[str]:
        """Stop what an earlier supervisor left, and note this one; the names of what was stopped.

        Raises AlreadyRunning where that one still runs.
        """
        noted = self._read()
        pid, started = noted.pop(_SUPERVISOR, (0, ""))
        if pid and _started(pid) == started:
            raise AlreadyRunning(
                f"Aviary already runs in {self._folder} (process {pid}); "
                "stop it, or choose another folder with AVIARY_VAR=…"
            )
        # Redis last: the others need it until their end.
        groups = [n for n in noted if n != "redis"], [n for n in noted if n == "redis"]
        stopped = [name for names in groups for name in self._stop(noted, names)]
        self.note(_SUPERVISOR, os.getpid())
        return stopped

    def note(self, name: str, pid: int) -> None:
        """Keep that a process was started, in place of an earlier one of its name."""
        with self._lock:
            self._noted[name] = (pid, _started(pid) or "")
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps(self._noted))
            temporary.rename(self._path)

    def close(self) -> None:
        """Nothing runs any more; what another supervisor noted stays."""
        if self._noted:
            self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, tuple[int, str]]:
        try:
            found = json.loads(self._path.read_text())
            return {str(name): (int(pid), str(started)) for name, (pid, started) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _stop(self, noted: dict[str, tuple[int, str]], names: Iterable[str]) -> list[str]:
        """Ask them to end, then make them; those that were there."""
        found = {name: pids for name in names if (pids := self._living(*noted[name]))}
        for number in (signal.SIGTERM, signal.SIGKILL):
            for name in found:
                for pid in self._living(*noted[name]):
                    with contextlib.suppress(OSError):
                        os.kill(pid, number)
                        os.kill(pid, signal.SIGCONT)  # one that was halted hears of it now
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            while any(self._living(*noted[name]) for name in found) and (
                time.monotonic() < deadline
            ):
                time.sleep(0.05)
        return list(found)

    def _living(self, pid: int, started: str) -> list[int]:
        """The process, where it is still that one, and what it started itself.

        Where it is gone, what it started still works in its session, with our folder as a setting.
        """
        session = [one for one in _session_of(pid) if one != pid]
        if _started(pid) == started:
            return [pid, *session]
        mark = f"AVIARY_VAR={self._folder}".encode()
        return [one for one in session if mark in _environment_of(one)]


def ending_with(parent: int) -> Callable[[], None] | None:
    """What a child does before anything else: be sent SIGTERM when its supervisor dies (Linux)."""
    prctl = _prctl
    if prctl is None:
        return None

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before we were tied to it
            os._exit(1)

    return tie


def _started(pid: int) -> str | None:
    """When a process started, as a text to compare; None where it is gone."""
    if not _PROC.is_dir():
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.strip() or None
    fields = _stat_of(pid)
    if not fields or fields[0] == "Z":
        return None
    # Ticks since the machine was started, and which start that was.
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {fields[19]}"


def _session_of(pid: int) -> list[int]:
    """The processes of the session that a process began, zombies left out."""
    found = (int(one.name) for one in _PROC.glob("[0-9]*")) if _PROC.is_dir() else iter(())
    stats = ((one, _stat_of(one)) for one in found)
    return [one for one, fields in stats if fields and fields[3] == str(pid) and fields[0] != "Z"]


def _stat_of(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _environment_of(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
