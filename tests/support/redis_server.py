"""A real Redis for tests, to be killed and frozen at will."""

import signal
import subprocess
from pathlib import Path

import redis

from portal.supervisor.processes import redis_process
from tests.support.waiting import wait_until


class RedisServer:
    """A Redis on a unix socket in a folder, started just as ``make up`` starts its own."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers; nothing where it runs already."""
        if self._process is not None:
            return
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            redis_process(self.socket).command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.socket.parent,
        )
        wait_until(self.answers, what="Redis")

    def client(self) -> "redis.Redis":
        """A client that waits no longer than a second for an answer."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=1)

    def kill(self) -> None:
        """As ``kill -9``: nothing is saved."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart_empty(self) -> None:
        """Kill it and start it again: it keeps nothing."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it from answering, with its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "Redis does not run"
        self._process.send_signal(number)
