"""Keeping processes running: start, restart what died, stop in reverse order, leave none behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from portal.lib.env import BASE_DIR
from portal.lib.logs import escape
from portal.supervisor import remains

# Longer than any process needs to finish what it has in hand; then it is killed.
STOP_TIMEOUT_S = 10.0
# A process that dies sooner than this after its start did not come up.
_SETTLED_AFTER_S = 5.0
_RESTART_DELAYS_S = (0.1, 0.5, 2.0, 5.0)
# So many times in a row.
_KEEPS_ENDING = 3


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    command: list[str]
    settings: dict[str, str] = field(default_factory=dict)


Note = Callable[[str, int], None]
"""Keeps the name and number of a process that was started."""


class Supervised:
    def __init__(self, process: Process, note: Note = lambda _name, _pid: None) -> None:
        self.process, self._note = process, note
        self.failures = 0
        self._popen: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep_alive, name=process.name, daemon=True)

    def start(self) -> None:
        """Start the process and keep it running.

        It is started in a thread: in the main one, a signal between the start and our taking note
        of it would leave a process that nobody knows.
        """
        self._thread.start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children; from now on it is not restarted."""
        with self._lock:
            self._stopping.set()
        if self._popen and self._popen.poll() is None:
            _signal_group(self._popen.pid, number)

    def ended_within(self, seconds: float) -> bool:
        if self._thread.ident is None:  # the signal to end came before it was started
            return True
        self._thread.join(timeout=max(seconds, 0))
        return not self._thread.is_alive()

    def _keep_alive(self) -> None:
        while not self._stopping.is_set():
            ended = self._run()
            delay_s = _RESTART_DELAYS_S[min(self.failures, len(_RESTART_DELAYS_S) - 1)]
            if not self._stopping.is_set():
                self._tell(ended, delay_s)
            self._stopping.wait(delay_s)

    def _run(self) -> str:
        """Start it and wait for its end; returns how that was."""
        try:
            popen = self._spawn()
        except OSError as error:
            self.failures += 1
            return f"cannot be started: {error}"
        return f"ended with status {self._follow(popen)}" if popen else ""

    def _tell(self, ended: str, delay_s: float) -> None:
        """Once, however often it is tried."""
        if self.failures < _KEEPS_ENDING:
            say(self.process.name, f"{ended}; starting it again")
        elif self.failures == _KEEPS_ENDING:
            what = f"trying again every {delay_s:g} s until it runs; the others go on"
            say(self.process.name, f"{ended}: it keeps ending right after its start; {what}")

    def _spawn(self) -> "subprocess.Popen[str] | None":
        with self._lock:
            if self._stopping.is_set():
                return None
            self._popen = self._start_process()
            try:
                self._note(self.process.name, self._popen.pid)
            except OSError as error:  # a full disk is no reason to be without it
                say(self.process.name, f"runs, but its number could not be kept: {error}")
            return self._popen

    def _start_process(self) -> "subprocess.Popen[str]":
        # A session of its own, so that Ctrl-C reaches the supervisor alone and what the process
        # starts itself can be stopped with it.
        return subprocess.Popen(
            self.process.command,
            cwd=BASE_DIR,
            env=os.environ | self.process.settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            # The thread that starts it lives as long as it does, which is what Linux looks at.
            preexec_fn=remains.ending_with(os.getpid()),
        )

    def _follow(self, popen: "subprocess.Popen[str]") -> int:
        printer = threading.Thread(target=self._print_output, args=[popen], daemon=True)
        printer.start()
        code = self._wait(popen)
        # Children of a killed process live on, answer in its place and keep its output open.
        _signal_group(popen.pid, signal.SIGKILL)
        printer.join()
        return code

    def _wait(self, popen: "subprocess.Popen[str]") -> int:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = popen.wait(_SETTLED_AFTER_S)
            self.failures += 1
            return code
        if self.failures >= _KEEPS_ENDING:
            say(self.process.name, f"runs again, for {_SETTLED_AFTER_S:g} s now")
        self.failures = 0
        return popen.wait()

    def _print_output(self, popen: "subprocess.Popen[str]") -> None:
        assert popen.stdout
        with popen.stdout as output:
            for line in output:
                say(self.process.name, line.rstrip("\n"))


class Supervisor:
    def __init__(self, note: Note = lambda _name, _pid: None) -> None:
        self._running: list[Supervised] = []
        self._note = note

    def start(self, process: Process) -> None:
        """Start one more process; it is stopped before those that were started earlier."""
        supervised = Supervised(process, self._note)
        self._running.append(supervised)
        supervised.start()

    def failing(self) -> str | None:
        """The name of a process that keeps dying right after its start, if there is one."""
        return next((s.process.name for s in self._running if s.failures >= _KEEPS_ENDING), None)

    def stop(self) -> None:
        """Stop everything, last started first in line; the first one only when all else is gone."""
        first, others = self._running[:1], self._running[1:]
        for group in (others[::-1], first):
            _stop(group)
        self._running = []


def _stop(group: list[Supervised]) -> None:
    for supervised in group:
        supervised.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    for supervised in group:
        if not supervised.ended_within(deadline - time.monotonic()):
            supervised.signal(signal.SIGKILL)
            supervised.ended_within(STOP_TIMEOUT_S)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


_print_lock = threading.Lock()


def say(name: str, line: str) -> None:
    """Print one line of one process, whole; where nobody reads any more, it is lost."""
    with _print_lock, contextlib.suppress(OSError):
        sys.stdout.write(f"{name:<9} | {escape(line)}\n")
        sys.stdout.flush()
