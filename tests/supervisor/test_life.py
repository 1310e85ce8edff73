"""Starting, stopping, and what dies in between.

All share one installation, which is started where the test before has ended it.
"""

import os
import signal
import stat
from collections.abc import Callable, Iterator

import httpx
import pytest

from portal.access.signin import throttle
from tests.support import processes, settings_env
from tests.support.stack import Stack
from tests.support.waiting import wait_until

# Every part: what its command line has in it, its name in the output, how many processes it is.
PARTS = (
    ("redis.sock", "redis", 1),
    ("granian", "web", 2),
    ("flags.evaluator", "evaluator", 1),
    ("manage.py relay", "relay", 1),
    (" worker ", "worker", 3),
    (" beat ", "beat", 1),
)
WHOLE = {name: count for _words, name, count in PARTS}
# What a restarted process may take on a busy machine.
BACK_WITHIN_S = 60.0
on_one_installation = pytest.mark.xdist_group("life")


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Stack, str]]:
    """An installation that began with nothing, and what its first start said."""
    stack = Stack(settings_env.temporary_folder() / "var", demo=False, from_nothing=True)
    try:
        stack.start()
        yield stack, stack.output
        if stack.runs():
            assert stack.stop(signal.SIGTERM) == 0
    finally:
        stack.kill()


@pytest.fixture
def aviary(made: tuple[Stack, str]) -> Stack:
    """The installation, with all its parts, whatever the test before did to it."""
    aviary, _output = made
    if not aviary.runs():
        aviary.start()
    wait_until_whole(aviary)
    return aviary


def wait_until_whole(aviary: Stack) -> None:
    wait_until(
        lambda: roles(aviary) == WHOLE and answers(aviary.portal_url),
        within_s=BACK_WITHIN_S,
        what="every part running",
    )
    wait_until(lambda: answers(aviary.evaluator_url), within_s=BACK_WITHIN_S, what="the evaluator")


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def roles(stack: Stack) -> dict[str, int]:
    """How many processes there are of each kind."""
    commands = list(stack.processes().values())
    return {name: sum(words in command for command in commands) for words, name, _count in PARTS}


@on_one_installation
def test_start__first_time__makes_private_files_and_prints_what_they_hold(
    made: tuple[Stack, str], aviary: Stack
) -> None:
    _aviary, said = made
    assert f"{aviary.portal_url}   sign in as admin, password {aviary.admin_password}" in said
    assert aviary.evaluator_url in said
    assert stat.S_IMODE(aviary.var.stat().st_mode) == 0o700
    for name in ("aviary.env", "admin-password"):
        assert stat.S_IMODE((aviary.var / name).stat().st_mode) == 0o600
    assert not (aviary.var / "demo-token").exists()
    assert aviary.manage("verifyaudit").returncode == 0


def sign_in(aviary: Stack, username: str, password: str) -> httpx.Response:
    with httpx.Client(base_url=aviary.portal_url) as browser:
        browser.get("/sign-in").raise_for_status()
        fields = {"username": username, "password": password}
        headers = {"X-CSRFToken": browser.cookies["csrftoken"]}
        return browser.post("/sign-in", data=fields, headers=headers)


@on_one_installation
def test_stop__ctrl_c_twice__leaves_no_process_and_the_next_start_finds_all_data(
    aviary: Stack,
) -> None:
    done = aviary.manage(
        "createkey", "--project", "shop", "--environment", "production", "--kind", "server"
    )
    token, password = done.stdout.strip(), aviary.admin_password
    secrets = (aviary.var / "aviary.env").read_bytes()
    for _ in range(throttle.PAIR.failures):
        assert sign_in(aviary, "somebody", "wrong").status_code == 200
    assert sign_in(aviary, "somebody", "wrong").status_code == 429
    os.kill(aviary.pid_of("portal.supervisor"), signal.SIGINT)
    assert aviary.stop(signal.SIGINT) == 0
    assert "aviary: stopping" in aviary.output
    assert not (aviary.var / "redis.sock").exists()
    assert not (aviary.var / "processes.json").exists()

    aviary.start()
    assert aviary.admin_password == password
    assert f"password {password}" in aviary.output
    assert (aviary.var / "aviary.env").read_bytes() == secrets

    def lets_in() -> bool:
        # A flag that is not there: 404 for who is let in, 401 for who is not.
        answer = httpx.post(
            f"{aviary.evaluator_url}/ofrep/v1/evaluate/flags/none",
            headers={"Authorization": f"Bearer {token}"},
            json={"context": {}},
        )
        return answer.status_code == 404

    wait_until(lets_in, what="the key of before being let in")
    # Nor is anything of the limits forgotten (others lost theirs: CVE-2024-21652).
    answer = sign_in(aviary, "somebody", "wrong")
    assert answer.status_code == 429
    assert "Too many attempts have failed" in answer.text
    assert sign_in(aviary, "admin", password).status_code == 302


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stop__in_the_middle_of_the_start__leaves_no_process(
    install: Callable[..., Stack], number: signal.Signals
) -> None:
    stack = install(from_nothing=True)
    stack.spawn()
    wait_until(lambda: roles(stack)["redis"], what="Redis having been started")
    assert stack.stop(number) == 0


@on_one_installation
def test_killed__every_part__is_started_again_as_often_as_before(aviary: Stack) -> None:
    killed = {name: aviary.pid_of(words) for words, name, _count in PARTS}
    for pid in killed.values():
        processes.kill(pid)
    wait_until(
        lambda: not killed.values() & aviary.processes().keys(), what="those killed being gone"
    )
    wait_until_whole(aviary)
    for name in killed:
        assert f"{name:<9} | ended with status -9; starting it again" in aviary.output


@on_one_installation
def test_killed__web_worker_alone__is_started_again(aviary: Stack) -> None:
    killed = max(pid for pid, command in aviary.processes().items() if "granian" in command)
    processes.kill(killed)
    wait_until(lambda: killed not in aviary.processes(), what="the one killed being gone")
    wait_until_whole(aviary)


@on_one_installation
def test_parts__that_keep_dying__are_tried_on_and_the_others_go_on(aviary: Stack) -> None:
    dying = ("granian", "manage.py relay", " worker ", " beat ")

    def are_killed_until_it_is_said() -> bool:
        assert answers(aviary.evaluator_url)
        for pid, command in aviary.processes().items():
            if any(words in command for words in dying):
                processes.kill(pid)
        return aviary.output.count("it keeps ending right after its start") == len(dying)

    wait_until(are_killed_until_it_is_said, within_s=60, what="its being said of each")
    wait_until_whole(aviary)


@on_one_installation
def test_killed_supervisor__its_processes_end_and_the_next_start_works(aviary: Stack) -> None:
    left = set(aviary.processes())
    # One that does not hear of its supervisor's death; the next start finds it.
    os.kill(aviary.redis_pid(), signal.SIGSTOP)
    processes.kill(aviary.pid_of("portal.supervisor"))
    aviary.wait()
    aviary.start()
    assert "aviary: stopped what an earlier start had left: " in aviary.output
    assert "redis" in aviary.output.partition("had left: ")[2].partition("\n")[0]
    assert not left & set(aviary.processes())
