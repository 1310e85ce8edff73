"""Stopping at any moment, the one between two steps of starting included."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from portal.supervisor.supervised import Process, Supervised, Supervisor
from tests.support import settings_env


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
import os, signal, sys
from portal.supervisor import __main__ as supervisor

def load(*_parts):
    exec({swallowing!r}, globals())

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
