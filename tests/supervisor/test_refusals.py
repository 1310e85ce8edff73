"""What keeps Aviary from starting is said in one line, and nothing is left running.

Three whole starts show that: one refused before anything is started, one while Redis and the
evaluator run, one when the database is ready. What each setting and file is refused for is asked of
the part that refuses it.
"""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.lib.env import SettingError
from portal.supervisor import processes, state
from portal.supervisor.processes import PortTaken, require_free
from tests.support import settings_env
from tests.support.stack import START_TIMEOUT_S, Stack

Install = Callable[..., Stack]


def refusal(stack: Stack) -> str:
    """Start it and wait for its end: the one line it says, from which no process is left."""
    stack.spawn()
    assert stack.wait(START_TIMEOUT_S) == 2, stack.output
    assert stack.processes() == {}
    own = [line for line in stack.lines if line.startswith("aviary: ")]
    assert len(own) == 1, stack.output
    assert "Traceback" not in stack.output
    return own[0].removeprefix("aviary: ").rstrip("\n")


def test_start__port_in_use__names_it_and_the_setting(install: Install) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal(install(EVALUATOR_PORT=str(port)))
    assert said.startswith(f"port {port} on 127.0.0.1 cannot be used (Address already in use)")
    assert said.endswith("choose another with EVALUATOR_PORT=…")


def test_start__database_that_is_none__says_so(install: Install, var: Path) -> None:
    var.mkdir()
    (var / "aviary.sqlite3").write_text("no database at all, " * 100)
    assert refusal(install()) == "the database cannot be used: file is not a database"


def test_start__setting_of_the_web_server_that_is_none__names_it(install: Install) -> None:
    assert refusal(install(WEB_WORKERS="0")) == "WEB_WORKERS must lie between 1 and 64, not 0"


def refused(code: str, var: Path, given: dict[str, str]) -> str:
    """What a part says in the end, in a process of its own that has these settings."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=settings_env.ROOT,
        env=settings_env.for_tests(var) | given,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    return done.stderr.rpartition("\nportal.lib.env.SettingError: ")[2]


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("DEBUG", "perhaps", "DEBUG must be 1 or 0, not 'perhaps'"),
        ("AVIARY_HTTPS", "enabled", "AVIARY_HTTPS must be 1 or 0, not 'enabled'"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of DEBUG, INFO"),
        ("SECRET_KEY", "", "SECRET_KEY is not set"),
        ("AUDIT_KEY", "short", "AUDIT_KEY needs at least 32 characters"),
        ("SNAPSHOT_KEY", "short", "SNAPSHOT_KEY needs at least 32 characters"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL must look like postgresql://"),
        ("DATABASE_URL", "mysql://root@localhost/aviary", "DATABASE_URL must look like"),
        ("DATABASE_URL", "postgresql://host:port/aviary", "DATABASE_URL must look like"),
        ("REDIS_URL", "nonsense", "REDIS_URL must look like redis://"),
    ],
)
def test_settings__one_that_is_none__is_named(
    var: Path, setting: str, value: str, said: str
) -> None:
    assert refused("import portal.settings", var, {setting: value}).startswith(said)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PORT", "http", "PORT must be a whole number, not 'http'"),
        ("PORT", "0", "PORT must lie between 1 and 65535, not 0"),
        ("EVALUATOR_PORT", "70000", "EVALUATOR_PORT must lie between 1 and 65535, not 70000"),
        ("WEB_THREADS", "many", "WEB_THREADS must be a whole number, not 'many'"),
    ],
)
def test_processes__setting_that_is_none__is_named(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(SettingError, match=f"^{said}"):
        processes.web(processes.Addresses.from_environment())


def test_port__in_use__names_it_and_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as error:
            require_free("127.0.0.1", port, setting="PORT")
    said = str(error.value)
    assert said.startswith(f"port {port} on 127.0.0.1 cannot be used (Address already in use)")
    assert said.endswith("choose another with PORT=…")


def test_folder__file_in_its_place__says_what_to_do(var: Path) -> None:
    var.touch()
    with pytest.raises(SettingError) as error:
        state.prepare(var)
    assert str(error.value).startswith(f"cannot use {var}: ")
    assert str(error.value).endswith("or choose another folder with AVIARY_VAR=…")


def test_folder__settings_that_cannot_be_read__says_what_to_do(var: Path) -> None:
    (var / "aviary.env").mkdir(parents=True)
    with pytest.raises(SettingError, match=f"^cannot use {var}: Is a directory; check its owner"):
        state.prepare(var)


def test_folder__path_too_long_for_a_socket__says_what_to_do(var: Path) -> None:
    with pytest.raises(SettingError) as error:
        processes.redis_process(state.redis_socket(var / ("a" * 100)))
    said = str(error.value)
    assert said.endswith("is too long for a unix socket; choose a shorter folder with AVIARY_VAR=…")


def test_database__server_that_is_away__says_so(var: Path) -> None:
    code = (
        "from portal.supervisor import first_start, processes;"
        "first_start.prepare_database(processes.Addresses.from_environment())"
    )
    said = refused(code, var, {"DATABASE_URL": f"postgresql://aviary@/aviary?host={var}"})
    assert said.startswith("the database cannot be used: ")


def make(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """``make`` as a person types it, with its virtual environment elsewhere."""
    return subprocess.run(
        ["make", *words, *[f"{name}={value}" for name, value in variables.items()]],
        check=False,
        cwd=settings_env.ROOT,
        env=settings_env.clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_make__unknown_target__names_it(var: Path) -> None:
    done = make("tset", VENV=str(var))
    assert done.returncode == 2
    assert "aviary: there is no 'make tset'; `make` lists what there is" in done.stderr
    assert not var.exists()


def test_make__alone__lists_what_there_is(var: Path) -> None:
    done = make(VENV=str(var))
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()] == [
        "up",
        "test",
        "test-all",
        "check",
        "bench",
        "faults",
        "lock",
    ]


def test_make_up__python_not_there__says_what_is_needed(var: Path) -> None:
    done = make("up", VENV=str(var), PYTHON="python-of-nowhere")
    assert done.returncode == 2
    assert "aviary: python-of-nowhere is not installed; Aviary needs Python 3.11" in done.stderr
    assert not var.exists()


def test_make_up__python_too_old__says_which_and_what_is_needed(var: Path) -> None:
    old = var.parent / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Python 3.9.2"\n[ "$1" = -V ]\n')
    old.chmod(0o755)
    done = make("up", VENV=str(var), PYTHON=str(old))
    assert done.returncode == 2
    assert f"aviary: {old} is Python 3.9.2; Aviary needs 3.11 or newer" in done.stderr
    assert not var.exists()
