"""Starting and stopping ``python -m flags.evaluator``."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flags.evaluator.__main__ import main
from tests.flags.evaluator.servers import ROOT, SNAPSHOT_KEY, EvaluatorProcess, RedisServer


def _start(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it with settings that must keep it from starting."""
    told = {
        "PATH": os.environ["PATH"],
        "AVIARY_VAR": str(folder),
        "REDIS_URL": "unix:///nowhere/redis.sock",
        "SNAPSHOT_KEY": SNAPSHOT_KEY,
        **settings,
    }
    command = [sys.executable, "-m", "flags.evaluator"]
    return subprocess.run(
        command, env=told, cwd=ROOT, capture_output=True, text=True, timeout=10, check=False
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The settings of an evaluator that starts in this process; they are as they should be."""
    monkeypatch.setenv("AVIARY_VAR", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", "unix:///nowhere/redis.sock")
    monkeypatch.setenv("SNAPSHOT_KEY", SNAPSHOT_KEY)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", ""),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://localhost:port"),
        ("SNAPSHOT_KEY", ""),
        ("SNAPSHOT_KEY", "short"),
        ("EVALUATOR_PORT", "eighty"),
        ("EVALUATOR_PORT", "65536"),
        ("EVALUATOR_HOST", "no such host"),
        ("EVALUATOR_HOST", "203.0.113.1"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(
    told: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    told.setenv(name, value)
    assert main() == 2
    _said, complained = capfd.readouterr()
    assert len(complained.splitlines()) == 1
    assert complained.startswith("evaluator: ")
    assert name in complained


def test_a_password_in_a_wrong_address_is_not_printed(
    told: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told.setenv("REDIS_URL", "http://:secret-password@localhost")
    assert main() == 2
    assert "secret-password" not in "".join(capfd.readouterr())


def test_a_busy_port_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        ended = _start(tmp_path, EVALUATOR_PORT=port)
    assert ended.returncode == 2
    assert ended.stderr.startswith("evaluator: ")
    assert len(ended.stderr.splitlines()) == 1
    assert port in ended.stderr


def test_settings_are_read_from_the_file_of_make_up(tmp_path: Path) -> None:
    (tmp_path / "aviary.env").write_text("EVALUATOR_PORT=from-the-file\n")
    assert "from-the-file" in _start(tmp_path).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_quietly_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    evaluator = EvaluatorProcess(RedisServer(tmp_path).url, tmp_path)
    evaluator.start()
    assert evaluator.http.get("/health").status_code == 200
    assert evaluator.stop(number) == 0
    assert "Traceback" not in evaluator.log()


def test_it_imports_no_database_and_no_web_framework() -> None:
    program = "import sys, flags.evaluator.__main__; print(*sys.modules, sep='\\n')"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    forbidden = ("django.db", "django.apps", "django.conf", "rest_framework", "celery", "sqlite3")
    assert not {one for one in modules if one.startswith((*forbidden, "psycopg", "flags.models"))}
