"""``make test``: every test on SQLite, then on PostgreSQL what a database can change.

``--all``, which is ``make test-all``, runs on PostgreSQL all that touch a database and no browser,
and on both what repeats other tests: everybody at every page, more examples of each property.
Other arguments go to pytest. AVIARY_TEST_EVERYTHING=1 makes a missing server or browser a failure.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from tests.support import chromium, haproxy, java, postgres, settings_env

_PYTEST = [sys.executable, "-m", "pytest", "-q", "--dist", "loadgroup", "--no-loadscope-reorder"]
# The smallest machines have two processors, and tests of whole processes and browsers wait a lot.
# PostgreSQL has about a fifth of what there is to do, with --all two fifths.
_AT_ONCE, _AT_ONCE_ON_POSTGRESQL = 5, 3
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
    _compile(arguments)
    with ExitStack() as parts:
        runs = [_Run("SQLite", parts)]
        runs[0].run(_AT_ONCE, arguments)
        if binaries:
            url = parts.enter_context(postgres.running(binaries))
            runs.append(_Run("PostgreSQL", parts))
            runs[1].run(_AT_ONCE_ON_POSTGRESQL, [*on_postgresql, *arguments], url)
    print("\naviary: where the time went")
    for one in runs:
        print(one.report(), flush=True)
    statuses = [one.status for one in runs]
    if statuses[1:] == [_NO_TESTS_COLLECTED]:  # those chosen by the arguments touch no database
        statuses.pop()
    return next(filter(None, statuses), 0)


def _may_start(binaries: Path | None) -> bool:
    """Say what will be left out; whether that is allowed."""
    missing = [] if binaries else ["the run on PostgreSQL (no initdb and pg_ctl found)"]
    if not chromium.find():
        missing.append(f"browser tests (no {', '.join(chromium.NAMES)} on PATH)")
    if not haproxy.find():
        missing.append("tests of haproxy (not on PATH)")
    if not java.find():
        missing.append(f"the Java provider (not all of {', '.join(java.NAMES)} on PATH)")
    if missing:
        print(f"aviary: left out: {'; '.join(missing)}", flush=True)
        if os.environ.get("AVIARY_TEST_EVERYTHING") == "1":
            print("aviary: AVIARY_TEST_EVERYTHING=1 allows nothing to be left out", flush=True)
            return False
    return True


def _compile(arguments: list[str]) -> None:
    """In a checkout that has run no tests yet: once, or each worker would compile every file."""
    if not (settings_env.ROOT / "tests" / "__pycache__").exists():
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *arguments]
        environment = settings_env.clean_environment()
        subprocess.run(
            command, check=False, cwd=settings_env.ROOT, env=environment, stdout=subprocess.DEVNULL
        )


class _Run:
    """One run of pytest, and what it took. It ends with the parts that it is one of."""

    def __init__(self, database: str, parts: ExitStack) -> None:
        self.database, self._parts = database, parts
        self._folder = settings_env.temporary_folder()
        self._took = ""

    def run(self, at_once: int, arguments: list[str], url: str | None = None) -> None:
        """Wait for it to end, and note what it took."""
        print(f"aviary: tests on {self.database}", flush=True)
        environment = settings_env.clean_environment()
        if url:
            environment[settings_env.DATABASE_SETTING] = url
        command = [*_PYTEST, "-n", str(at_once), f"--spent={self._folder / 'spent'}", *arguments]
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=settings_env.ROOT, env=environment)
        self._parts.callback(process.kill)
        _pid, status, used = os.wait4(process.pid, 0)
        self.status = process.returncode = os.waitstatus_to_exitcode(status)
        wall_s, processor_s = time.monotonic() - started, used.ru_utime + used.ru_stime
        self._took = f"{wall_s:.0f} s, {processor_s:.0f} s of processor"

    def report(self) -> str:
        by_file = self._folder / "spent"
        found = by_file.read_text() if by_file.exists() else ""
        return f"on {self.database}: {self._took}\n{found}"


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)  # so that the server is stopped then, too
    sys.exit(main(sys.argv[1:]))
