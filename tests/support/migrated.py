"""A SQLite database with all tables and nothing else: made once for a whole run of the tests."""

import fcntl
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.support import settings_env


def copy_to(file: Path) -> None:
    """Put a copy there. Whoever comes first makes it, by the product's own command."""
    with closing(sqlite3.connect(_original())) as original, closing(sqlite3.connect(file)) as copy:
        original.backup(copy)


def _original() -> Path:
    folder = settings_env.shared_folder()
    original = folder / "migrated.sqlite3"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other worker may be at it
        if not original.exists():
            _migrate(folder / "half-done.sqlite3").rename(original)
    return original


def _migrate(file: Path) -> Path:
    settings = {"DATABASE_URL": f"sqlite:///{file}"}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity", "0"],
        check=True,
        cwd=settings_env.ROOT,
        env=settings_env.for_tests(file.parent) | settings,
    )
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file
