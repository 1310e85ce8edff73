"""A PostgreSQL that can be killed and started again."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from tests.support import postgres


class PostgresServer:
    """A running server; ``url`` is its DATABASE_URL."""

    def __init__(self, url: str, binaries: Path) -> None:
        self.url, self._binaries = url, binaries
        self._folder = Path(parse_qs(urlsplit(url).query)["host"][0])

    def kill(self) -> None:
        """As ``kill -9``, the server and what it has forked."""
        (pid, *_rest) = (self._folder / "data" / "postmaster.pid").read_text().split()
        os.killpg(os.getpgid(int(pid)), signal.SIGKILL)

    def start(self) -> None:
        """Start it again on what it has on disk."""
        postgres.start(self._binaries, self._folder)


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server with an empty database."""
    binaries = postgres.find_binaries()
    assert binaries, "this fault needs PostgreSQL (initdb and pg_ctl)"
    with (
        postgres.running(binaries) as server,
        postgres.database(server, "faults") as url,
    ):
        # The tests' server answers before it has written: what it answered would go with it.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER DATABASE faults SET synchronous_commit = on")
        yield PostgresServer(url, binaries)
