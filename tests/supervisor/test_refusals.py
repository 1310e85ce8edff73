"""What keeps Aviary from starting is said in one line, and nothing is left running."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import settings_env
from tests.support.stack import Stack

Install = Callable[..., Stack]


def refusal(stack: Stack) -> str:
    """Start it and wait for its end: the one line it says, from which no process is left."""
    stack.spawn()
    assert stack.wait() == 2, stack.output
    assert stack.processes() == {}
    own = [line for line in stack.lines if line.startswith("aviary: ")]
    assert len(own) == 1, stack.output
    assert "Traceback" not in stack.output
    return own[0].removeprefix("aviary: ").rstrip("\n")


@pytest.mark.parametrize("setting", ["PORT", "EVALUATOR_PORT"])
def test_start__port_in_use__names_it_and_the_setting(install: Install, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refusal(install(**{setting: str(port)}))
    assert said.startswith(f"port {port} on 127.0.0.1 cannot be used (Address already in use)")
    assert said.endswith(f"choose another with {setting}=…")


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("PORT", "http", "PORT must be a whole number, not 'http'"),
        ("PORT", "0", "PORT must lie between 1 and 65535, not 0"),
        ("EVALUATOR_PORT", "70000", "EVALUATOR_PORT must lie between 1 and 65535, not 70000"),
        ("DEBUG", "perhaps", "DEBUG must be 1 or 0, not 'perhaps'"),
        ("AVIARY_HTTPS", "enabled", "AVIARY_HTTPS must be 1 or 0, not 'enabled'"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of DEBUG, INFO"),
        ("SECRET_KEY", "", "SECRET_KEY is not set"),
        ("AUDIT_KEY", "short", "AUDIT_KEY needs at least 32 characters"),
        ("SNAPSHOT_KEY", "short", "SNAPSHOT_KEY needs at least 32 characters"),
        ("WEB_THREADS", "many", "WEB_THREADS must be a whole number, not 'many'"),
        ("WEB_WORKERS", "0", "WEB_WORKERS must lie between 1 and 64, not 0"),
        ("DATABASE_URL", "nonsense", "DATABASE_URL must look like postgresql://"),
        ("DATABASE_URL", "mysql://root@localhost/aviary", "DATABASE_URL must look like"),
        ("DATABASE_URL", "postgresql://host:port/aviary", "DATABASE_URL must look like"),
        ("REDIS_URL", "nonsense", "REDIS_URL must look like redis://"),
    ],
)
def test_start__setting_that_is_none__names_it(
    install: Install, setting: str, value: str, said: str
) -> None:
    assert said in refusal(install(**{setting: value}))


def test_start__file_where_the_folder_should_be__says_what_to_do(
    install: Install, var: Path
) -> None:
    var.touch()
    said = refusal(install())
    assert said.startswith(f"cannot use {var}: ")
    assert said.endswith("or choose another folder with AVIARY_VAR=…")


def test_start__settings_that_cannot_be_read__says_what_to_do(install: Install, var: Path) -> None:
    (var / "aviary.env").mkdir(parents=True)
    assert refusal(install()).startswith(f"cannot use {var}: Is a directory; check its owner")


def test_start__folder_path_too_long_for_a_socket__says_what_to_do(var: Path) -> None:
    folder = var / ("a" * 100)
    stack = Stack(folder, demo=False)
    try:
        said = refusal(stack)
    finally:
        stack.kill()
    assert said.endswith("is too long for a unix socket; choose a shorter folder with AVIARY_VAR=…")


def test_start__database_that_is_none__says_so(install: Install, var: Path) -> None:
    var.mkdir()
    (var / "aviary.sqlite3").write_text("no database at all, " * 100)
    assert refusal(install()) == "the database cannot be used: file is not a database"


def test_start__database_server_that_is_away__says_so(install: Install, var: Path) -> None:
    said = refusal(install(DATABASE_URL=f"postgresql://aviary@/aviary?host={var}"))
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
        "check",
        "bench",
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
