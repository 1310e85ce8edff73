"""A PostgreSQL server of our own, for as long as the tests run."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.support import settings_env

# Nothing has to survive a crash here, and many small databases share the machine.
_OPTIONS = {
    "listen_addresses": "''",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "autovacuum": "off",
}


class PostgresTrouble(RuntimeError):
    """The server did not start; the message has what it said."""


def find_binaries() -> Path | None:
    """The folder with initdb and pg_ctl: the one on PATH, else the newest of Debian's folders."""
    on_path = shutil.which("initdb")
    # On PATH there may be links; what the server needs lies beside the real binary.
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    needed = ("initdb", "pg_ctl", "postgres")
    return next((f for f in folders if all((f / name).exists() for name in needed)), None)


@contextmanager
def running(binaries: Path) -> Iterator[str]:
    """A server in a temporary folder, on a unix socket alone. Yields its DATABASE_URL."""
    folder = settings_env.temporary_folder()
    data = folder / "data"
    account = _unprivileged_account()
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    run = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N"]
    _run(run, account, folder)
    start(binaries, folder)
    try:
        yield f"postgresql://postgres@/aviary?host={folder}"
    finally:
        _control(binaries, folder, "stop", "-w", "-m", "immediate")


def start(binaries: Path, folder: Path) -> None:
    """Start the server in the folder; a lock file that a killed one left is no obstacle."""
    options = " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())
    log = str(folder / "log")
    _control(binaries, folder, "start", "-w", "-t", "30", "-l", log, "-o", f"{options} -k {folder}")


def _control(binaries: Path, folder: Path, *words: str) -> None:
    command = [str(binaries / "pg_ctl"), "-D", str(folder / "data"), *words]
    _run(command, _unprivileged_account(), folder)


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """A new database on the server of ``url``, dropped at the end. Yields its own URL."""
    server, _, options = url.rpartition("?")
    administrator = f"{server.rpartition('/')[0]}/postgres?{options}"
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield f"{server.rpartition('/')[0]}/{name}?{options}"
    finally:
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _unprivileged_account() -> pwd.struct_passwd | None:
    """Who the server runs as where we are root, as which it refuses to; None where we are not."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresTrouble("there is no account but root's to run PostgreSQL as")


def _run(command: list[str], account: pwd.struct_passwd | None, folder: Path) -> None:
    # Into a file and not a pipe: the server inherits it, and a pipe would stay open with it.
    said = folder / "said"
    with said.open("ab") as output:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    if done.returncode:
        log = folder / "log"
        raise PostgresTrouble(said.read_text() + (log.read_text() if log.exists() else ""))


def _major(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0
