"""``make test``: every test on SQLite, then on PostgreSQL what a database can change.

``--all``, which is ``make test-all``, runs on PostgreSQL all that touch a database and no browser,
and on both what repeats other tests: everybody at every page, more examples of each property.
Other arguments go to pytest. AVIARY_TEST_EVERYTHING=1 makes a missing server or browser a failure.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from tests.support import chromium, java, postgres, settings_env

_PYTEST = [sys.executable, "-m", "pytest", "-q", "--dist", "loadgroup"]
# The smallest machines have two processors, and tests of whole processes and browsers wait a lot.
_AT_ONCE, _AT_ONCE_ON_POSTGRESQL = 3, 2
_NO_TESTS_COLLECTED = 5
# What a database can change.
_CHOSEN = ["-m", "postgresql"]


def main(arguments: list[str]) -> int:
    """Run them; returns the exit status of the first run that failed, or 0."""
    binaries = postgres.find_binaries()
    if not _may_start(binaries):
        return 1
    on_postgresql = ["--database-only", *_CHOSEN]
    if "--all" in arguments:
        arguments[arguments.index("--all")] = "--whole"
        on_postgresql = ["--database-only"]
    spent = [_Spent("SQLite")]
    status = spent[0].run(arguments)
    if status == 0 and binaries:
        with ExitStack() as parts:
            url = parts.enter_context(postgres.running(binaries))
            spent.append(_Spent("PostgreSQL"))
            status = spent[1].run([*on_postgresql, *arguments], url)
        if status == _NO_TESTS_COLLECTED:  # those chosen by the arguments touch no database
            status = 0
    print("\naviary: where the time went")
    for one in spent:
        print(one.report(), flush=True)
    return status


def _may_start(binaries: Path | None) -> bool:
    """Say what will be left out; whether that is allowed."""
    missing = [] if binaries else ["the run on PostgreSQL (no initdb and pg_ctl found)"]
    if not chromium.find():
        missing.append(f"browser tests (no {', '.join(chromium.NAMES)} on PATH)")
    if not java.find():
        missing.append(f"the Java provider (not all of {', '.join(java.NAMES)} on PATH)")
    if missing:
        print(f"aviary: left out: {'; '.join(missing)}", flush=True)
        if os.environ.get("AVIARY_TEST_EVERYTHING") == "1":
            print("aviary: AVIARY_TEST_EVERYTHING=1 allows nothing to be left out", flush=True)
            return False
    return True


class _Spent:
    """One run of pytest, and what it took."""

    def __init__(self, database: str) -> None:
        self.database = database
        self._by_file = settings_env.temporary_folder() / "spent"
        self._wall = self._processor = 0.0

    def run(self, arguments: list[str], url: str | None = None) -> int:
        """Returns its exit status."""
        print(f"aviary: tests on {self.database}", flush=True)
        environment = settings_env.clean_environment()
        if url:
            environment[settings_env.DATABASE_SETTING] = url
        at_once = _AT_ONCE_ON_POSTGRESQL if url else _AT_ONCE
        command = [*_PYTEST, "-n", str(at_once), f"--spent={self._by_file}", *arguments]
        started = time.monotonic(), _processor_time()
        done = subprocess.run(command, check=False, cwd=settings_env.ROOT, env=environment)
        self._wall, self._processor = time.monotonic() - started[0], _processor_time() - started[1]
        return done.returncode

    def report(self) -> str:
        by_file = self._by_file.read_text() if self._by_file.exists() else ""
        took = f"{self._wall:.0f} s, {self._processor:.0f} s of processor"
        return f"on {self.database}: {took}\n{by_file}"


def _processor_time() -> float:
    """Of all processes that have ended and that somebody waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # so that the server is stopped then, too
    sys.exit(main(sys.argv[1:]))
