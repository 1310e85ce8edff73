"""What a killed supervisor leaves: found, said, stopped; and nobody else is touched.

``test_life`` has one that is killed with all its processes running.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.supervisor import remains
from portal.supervisor.remains import AlreadyRunning, Register
from tests.support import processes

Spawn = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def spawn(var: Path) -> Iterator[Spawn]:
    """Starts a shell in a session of its own, as the supervisor does; says a line once it runs."""
    started: list[subprocess.Popen[str]] = []
    var.mkdir()

    def start(script: str) -> "subprocess.Popen[str]":
        started.append(
            subprocess.Popen(
                ["sh", "-c", script],
                env=os.environ | {"AVIARY_VAR": str(var)},
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        assert started[-1].stdout
        assert started[-1].stdout.readline()
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            os.killpg(one.pid, signal.SIGKILL)
        one.wait()
        assert one.stdout
        one.stdout.close()


def leave(var: Path, **pids: int) -> None:
    """The register of a supervisor that was killed."""
    register = Register(var)
    register.note("supervisor", 2**22)
    for name, pid in pids.items():
        register.note(name, pid)


def test_remains__are_stopped_and_named_with_what_they_started(var: Path, spawn: Spawn) -> None:
    stubborn = spawn("trap '' TERM; echo; sleep 60 & wait; sleep 60")
    leader = spawn("sleep 60 & echo $!; wait")
    leave(var, web=leader.pid, redis=stubborn.pid)
    remains_timeout, remains._STOP_TIMEOUT_S = remains._STOP_TIMEOUT_S, 0.5
    try:
        assert Register(var).take_over() == ["web", "redis"]
    finally:
        remains._STOP_TIMEOUT_S = remains_timeout
    assert processes.of_installation(var) == {}


def test_remains__child_of_a_process_that_is_gone__is_stopped(var: Path, spawn: Spawn) -> None:
    leader = spawn("sleep 60 & echo $!")
    leave(var, web=leader.pid)
    leader.wait()
    assert len(processes.of_installation(var)) == 1
    assert Register(var).take_over() == ["web"]
    assert processes.of_installation(var) == {}


def test_remains__stranger_with_the_number_of_before__is_left_alone(
    var: Path, spawn: Spawn
) -> None:
    stranger = spawn("echo; exec sleep 60")
    leave(var, web=stranger.pid)
    path = var / "processes.json"
    noted = json.loads(path.read_text())
    noted["web"][1] = "at another time"
    path.write_text(json.dumps(noted))
    assert Register(var).take_over() == []
    assert stranger.poll() is None


def test_remains__supervisor_that_runs__is_named_and_nothing_is_stopped(
    var: Path, spawn: Spawn
) -> None:
    supervisor, web = spawn("echo; exec sleep 60"), spawn("echo; exec sleep 60")
    leave(var, supervisor=supervisor.pid, web=web.pid)
    second = Register(var)
    with pytest.raises(AlreadyRunning, match=rf"already runs in .* \(process {supervisor.pid}\)"):
        second.take_over()
    second.close()
    assert (supervisor.poll(), web.poll()) == (None, None)
    assert (var / "processes.json").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"web": 1}', '{"web": ["x", 1]}'])
def test_remains__register_that_cannot_be_read__is_none(var: Path, text: str) -> None:
    var.mkdir()
    (var / "processes.json").write_text(text)
    assert Register(var).take_over() == []
