"""Keeping on whatever ends, and stopping at any moment, even between two steps of starting."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from portal.lib.env import SettingError
from portal.supervisor import __main__ as starting, supervised as supervising
from portal.supervisor.supervised import Note, Process, Supervised, Supervisor
from tests.support import settings_env
from tests.support.waiting import wait_until


def test_ended__never_started__is_so() -> None:
    supervised = Supervised(Process("sleeper", ["sleep", "60"]))
    supervised.signal(signal.SIGTERM)
    assert supervised.ended_within(1)


def test_stop__signal_came_before_the_last_process_was_started__ends_the_others() -> None:
    supervisor = Supervisor()
    for name in ("first", "second"):
        supervisor.start(Process(name, ["sleep", "60"]))
    first, second = supervisor._running
    supervisor._running.append(Supervised(Process("third", ["sleep", "60"])))
    supervisor.stop()
    assert first.ended_within(0)
    assert second.ended_within(0)


# What is being loaded may catch every exception, and Python drops those raised while it cleans up.
SWALLOWING = {
    "caught": "try: os.kill(os.getpid(), signal.SIGINT)\nexcept Exception: pass",
    "cleaning up": "class Old:\n def __del__(self): os.kill(os.getpid(), signal.SIGINT)\nOld()",
}


@pytest.mark.parametrize("swallowing", SWALLOWING.values(), ids=list(SWALLOWING))
def test_stop__signal_came_where_exceptions_are_lost__ends_all_the_same(
    swallowing: str, tmp_path: Path
) -> None:
    code = f"""
import os, signal, sys, time
from portal.supervisor import __main__ as supervisor

def load(*_parts):
    exec({swallowing!r}, globals())
    for _each in range(600):  # what was loaded goes on, as long as making tables takes
        time.sleep(0.1)

supervisor._up = load
sys.exit(supervisor.main())
"""
    environment = settings_env.clean_environment() | {"AVIARY_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=settings_env.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "aviary: stopping" in done.stdout


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Supervisor]]:
    """Keeps one process running, without long waits."""
    monkeypatch.setattr(supervising, "_RESTART_DELAYS_S", (0.01, 0.02))
    supervisors: list[Supervisor] = []

    def start(command: list[str], *note: Note) -> Supervisor:
        supervisors.append(Supervisor(*note))
        supervisors[-1].start(Process("part", command))
        return supervisors[-1]

    yield start
    for supervisor in supervisors:
        supervisor.stop()


# One ends by itself, the other is not even there.
@pytest.mark.parametrize("ending", ["exit 3", ""], ids=["ends", "cannot be started"])
def test_process__that_keeps_ending__is_tried_until_it_runs_and_both_are_said_once(
    keep: Callable[..., Supervisor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ending: str,
) -> None:
    tries, program = tmp_path / "tries", tmp_path / "program"
    said = ""

    def has_said(words: str) -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return words in said

    def become(what: str) -> None:
        (tmp_path / "new").write_text(f"#!/bin/sh\necho >>{tries}\n{what}\n")
        (tmp_path / "new").chmod(0o700)
        (tmp_path / "new").rename(program)

    if ending:
        become(ending)
    supervisor = keep([str(program)])
    wait_until(lambda: has_said("keeps ending"), within_s=60, what="its being said")
    assert supervisor.failing() == "part"
    if ending:
        before = tries.stat().st_size
        wait_until(lambda: tries.stat().st_size > before + 3, within_s=60, what="more tries")
    monkeypatch.setattr(supervising, "_SETTLED_AFTER_S", 0.3)
    become("exec sleep 60")
    wait_until(lambda: has_said("runs again"), within_s=60, what="its being said")
    wait_until(lambda: supervisor.failing() is None, what="its counting as running")
    assert said.count("keeps ending") == said.count("runs again") == 1
    assert said.count("starting it again") <= 2


@pytest.mark.parametrize("failing", ["note", "output"])
def test_process__that_ends_where_nothing_can_be_noted_or_said__is_started_again(
    keep: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: str
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError("No space left on device")

    if failing == "output":
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=fail, flush=fail))
    keep(["sh", "-c", f"echo x >>{tmp_path}/tries; echo said"], *[fail] * (failing == "note"))
    tries = tmp_path / "tries"
    wait_until(
        lambda: tries.exists() and tries.stat().st_size > 4, what="its being started three times"
    )


def test_start__a_part_that_keeps_ending_before_all_are_up__is_refused(
    keep: Callable[..., Supervisor],
) -> None:
    supervisor = keep(["false"])
    with pytest.raises(SettingError, match="part did not start; see the lines above"):
        starting._wait_until(lambda: False, supervisor)
