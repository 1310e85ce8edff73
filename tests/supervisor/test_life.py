"""Starting, stopping, and what dies in between."""

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support import processes
from tests.support.stack import Stack
from tests.support.waiting import wait_until

Install = Callable[..., Stack]

# Every part: what its command line has in it, and its name in the output.
PARTS = (
    ("redis.sock", "redis"),
    ("granian", "web"),
    ("flags.evaluator", "evaluator"),
    ("manage.py relay", "relay"),
    (" worker ", "worker"),
    (" beat ", "beat"),
)
# What a restarted process may take on a busy machine.
BACK_WITHIN_S = 20.0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def roles(stack: Stack) -> dict[str, int]:
    """How many processes there are of each kind."""
    commands = list(stack.processes().values())
    return {name: sum(words in command for command in commands) for words, name in PARTS}


def test_start__first_time__makes_private_files_and_prints_what_they_hold(
    install: Install, var: Path
) -> None:
    stack = install(from_nothing=True)
    stack.start()
    assert answers(stack.portal_url)
    assert answers(stack.evaluator_url)
    assert f"{stack.portal_url}   sign in as admin, password {stack.admin_password}" in stack.output
    assert stack.evaluator_url in stack.output
    assert stat.S_IMODE(var.stat().st_mode) == 0o700
    for name in ("aviary.env", "admin-password"):
        assert stat.S_IMODE((var / name).stat().st_mode) == 0o600
    assert not (var / "demo-token").exists()
    assert stack.manage("verifyaudit").returncode == 0
    assert stack.stop() == 0


def test_stop__by_ctrl_c__leaves_no_process_and_the_next_start_finds_all_data(
    install: Install, var: Path
) -> None:
    stack = install()
    stack.start()
    done = stack.manage(
        "createkey", "--project", "shop", "--environment", "production", "--kind", "server"
    )
    token, password = done.stdout.strip(), stack.admin_password
    secrets = (var / "aviary.env").read_bytes()
    assert all(roles(stack).values()), roles(stack)
    assert stack.stop(signal.SIGINT) == 0
    assert "aviary: stopping" in stack.output
    assert not (var / "redis.sock").exists()

    stack.start()
    assert stack.admin_password == password
    assert f"password {password}" in stack.output
    assert (var / "aviary.env").read_bytes() == secrets

    def lets_in() -> bool:
        # A flag that is not there: 404 for who is let in, 401 for who is not.
        answer = httpx.post(
            f"{stack.evaluator_url}/ofrep/v1/evaluate/flags/none",
            headers={"Authorization": f"Bearer {token}"},
            json={"context": {}},
        )
        return answer.status_code == 404

    wait_until(lets_in, within_s=5, what="the key of before being let in")
    assert stack.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stop__in_the_middle_of_the_start__leaves_no_process(
    install: Install, number: signal.Signals
) -> None:
    stack = install()
    stack.spawn()
    wait_until(lambda: roles(stack)["redis"], what="Redis having been started")
    assert stack.stop(number) == 0


def test_stop__ctrl_c_twice__still_leaves_no_process(install: Install) -> None:
    stack = install()
    stack.spawn()
    wait_until(lambda: roles(stack)["web"], within_s=30, what="the web process")
    os.kill(stack.pid_of("portal.supervisor"), signal.SIGINT)
    assert stack.stop(signal.SIGINT) == 0


def test_killed__each_part_in_turn__is_started_again_as_often_as_before(install: Install) -> None:
    stack = install()
    stack.start()
    wait_until(lambda: all(roles(stack).values()), within_s=30, what="every part")
    before = steady_roles(stack)
    for words, name in PARTS:
        kill_and_see_it_back(stack, words, name, before)
    wait_until(lambda: answers(stack.portal_url), within_s=BACK_WITHIN_S, what="the portal")
    wait_until(lambda: answers(stack.evaluator_url), within_s=BACK_WITHIN_S, what="the evaluator")
    assert stack.stop() == 0


def test_killed__web_worker_alone__is_started_again(install: Install) -> None:
    stack = install()
    stack.start()
    pids = [pid for pid, command in stack.processes().items() if "granian" in command]
    assert len(pids) == 2, stack.processes()
    processes.kill(max(pids))
    wait_until(lambda: answers(stack.portal_url), within_s=BACK_WITHIN_S, what="the portal")
    assert max(pids) not in stack.processes()
    assert stack.stop() == 0


def kill_and_see_it_back(stack: Stack, words: str, name: str, before: dict[str, int]) -> None:
    pid = stack.pid_of(words)
    processes.kill(pid)
    wait_until(
        lambda: pid not in stack.processes() and roles(stack) == before,
        within_s=BACK_WITHIN_S,
        what=f"{name} being back",
    )
    assert f"{name:<9} | ended with status -9; starting it again" in stack.output


def steady_roles(stack: Stack) -> dict[str, int]:
    """How many there are of each once the worker has started its children."""
    wait_until(lambda: roles(stack)["worker"] == 3, within_s=30, what="the worker's two children")
    return roles(stack)


def test_part__that_keeps_dying__ends_it_all_and_is_named(install: Install) -> None:
    stack = install()
    stack.start()

    def kill_the_evaluator() -> bool:
        for pid, command in stack.processes().items():
            if "flags.evaluator" in command:
                processes.kill(pid)
        return not stack.runs()

    wait_until(kill_the_evaluator, within_s=30, what="the end of it all")
    assert stack.wait() == 1, stack.output
    assert "aviary: evaluator keeps ending; see its lines above" in stack.output
    assert stack.processes() == {}


def test_start__admin_password_changed_meanwhile__does_not_print_the_old_one(
    install: Install, var: Path
) -> None:
    stack = install()
    stack.start()
    old = stack.admin_password
    done = stack.manage(
        "shell",
        "--command",
        "from portal.access.models import User; "
        "u = User.objects.get(username='admin'); u.set_password('my-own-words'); u.save()",
    )
    assert done.returncode == 0, done.stderr
    assert stack.stop() == 0
    stack.start()
    assert "password (as you set it)" in stack.output
    assert old not in stack.output
    assert stack.stop() == 0
