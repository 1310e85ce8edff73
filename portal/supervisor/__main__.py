"""``python -m portal.supervisor``, which is what ``make up`` runs."""

import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from portal.lib import env
from portal.lib.env import SettingError
from portal.supervisor import processes, state
from portal.supervisor.processes import Addresses, PortTaken, require_free
from portal.supervisor.remains import AlreadyRunning, Register
from portal.supervisor.supervised import Supervisor

_READY_TIMEOUT_S = 60.0
_ASKED_AGAIN_AFTER_S = 0.5


class Stopped(BaseException):
    """Someone asked us to end. No ``except Exception`` of what is being loaded may swallow it."""


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    register = Register(env.var_dir())
    supervisor = Supervisor(register.note)
    try:
        _run(supervisor, register)
    except Stopped:
        print("aviary: stopping", flush=True)
        return 0
    except (SettingError, PortTaken, AlreadyRunning) as error:
        print(f"aviary: {error}", file=sys.stderr)
        return 2
    finally:
        _ignore_signals()
        supervisor.stop()
        register.close()


def _run(supervisor: Supervisor, register: Register) -> NoReturn:
    """Whatever ends is started again, so that once all is up only a signal ends it."""
    try:
        _up(supervisor, register)
        while True:
            signal.pause()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _up(supervisor: Supervisor, register: Register) -> None:
    addresses = Addresses.from_environment()
    state.prepare(env.var_dir())
    os.environ["AVIARY_VAR"] = str(env.var_dir())  # by which what is left of us can be told
    if stopped := register.take_over():
        print(f"aviary: stopped what an earlier start had left: {', '.join(stopped)}", flush=True)
    env.load_file()
    require_free(addresses.host, addresses.port, setting="PORT")
    require_free(addresses.host, addresses.evaluator_port, setting="EVALUATOR_PORT")
    os.environ.setdefault("PORTAL_URL", addresses.portal_url)
    # On one machine, what probes and webhooks ask is usually on it too.
    os.environ.setdefault("AVIARY_OUTBOUND_NETWORKS", "127.0.0.0/8,::1/128")
    public_url = os.environ.get("EVALUATOR_URL", "")
    os.environ.setdefault("EVALUATOR_URL", addresses.evaluator_url)
    _start_redis(supervisor)
    supervisor.start(processes.evaluator(addresses, public_url=public_url))

    # Django reads its settings when it is imported, so only now.
    from portal.supervisor import first_start

    greeting = first_start.prepare_database(addresses)
    supervisor.start(processes.web(addresses))
    _wait_until(lambda: _answers(f"{addresses.portal_url}/ready"), supervisor)
    # Not /ready: an installation without any environment yet has nothing to serve.
    _wait_until(lambda: _answers(f"{addresses.evaluator_url}/health"), supervisor)
    print(greeting, flush=True)
    # Only now: on a small machine they would compete with what someone is waiting for.
    for process in processes.background():
        supervisor.start(process)


def _start_redis(supervisor: Supervisor) -> None:
    socket = state.redis_socket(env.var_dir())
    if env.required("REDIS_URL") == f"unix://{socket}":
        supervisor.start(processes.redis_process(socket))
        processes.wait_until_it_answers(socket)


def _wait_until(ready: Callable[[], bool], supervisor: Supervisor) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while not ready():
        failing = supervisor.failing()
        if failing or time.monotonic() > deadline:
            raise SettingError(f"{failing or 'a server'} did not start; see the lines above")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - ours
            return bool(response.status == 200)
    except OSError:
        return False


def _stop(_number: int, _frame: FrameType | None) -> None:
    # make passes on a signal that the terminal has sent us as well: only the first one counts.
    _ignore_signals()
    # Python drops what is raised while it cleans up an object, and what is loaded may go on long.
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, _ASKED_AGAIN_AFTER_S)
    raise Stopped


def _ignore_signals() -> None:
    """Stopping is under way; a second signal must not cut it short and leave processes behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
