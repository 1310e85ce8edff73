"""``make test``: every test on SQLite, then on PostgreSQL all that touch a database and no browser.

Arguments go to pytest. AVIARY_TEST_EVERYTHING=1 makes a missing server or browser a failure.
"""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from types import FrameType

from tests.support import chromium, java, postgres, settings_env

# Two at a time: the smallest machines have two processors.
_PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
_NO_TESTS_COLLECTED = 5


def main(arguments: list[str]) -> int:
    """Run them; returns the exit status of the first run that failed, or 0."""
    binaries = postgres.find_binaries()
    missing = [] if binaries else ["the run on PostgreSQL (no initdb and pg_ctl found)"]
    if not chromium.find():
        missing.append(f"browser tests (no {', '.join(chromium.NAMES)} on PATH)")
    if not java.find():
        missing.append(f"the Java provider (not all of {', '.join(java.NAMES)} on PATH)")
    if missing:
        print(f"aviary: left out: {'; '.join(missing)}", flush=True)
        if os.environ.get("AVIARY_TEST_EVERYTHING") == "1":
            print("aviary: AVIARY_TEST_EVERYTHING=1 allows nothing to be left out", flush=True)
            return 1
    status = _run("SQLite", arguments)
    if status == 0 and binaries:
        with ExitStack() as parts:
            url = parts.enter_context(postgres.running(binaries))
            status = _run("PostgreSQL", ["--database-only", *arguments], url)
        if status == _NO_TESTS_COLLECTED:  # those chosen by the arguments touch no database
            status = 0
    return status


def _run(database: str, arguments: list[str], url: str | None = None) -> int:
    print(f"aviary: tests on {database}", flush=True)
    environment = settings_env.clean_environment()
    if url:
        environment[settings_env.DATABASE_SETTING] = url
    return subprocess.run(
        [*_PYTEST, *arguments], check=False, cwd=settings_env.ROOT, env=environment
    ).returncode


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # so that the server is stopped then, too
    sys.exit(main(sys.argv[1:]))
