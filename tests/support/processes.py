"""Which processes belong to an installation: those that were given its folder."""

import contextlib
import os
import signal
from pathlib import Path


def of_installation(var: Path) -> dict[int, str]:
    """The command lines of all processes that work in ``var``, by process id; zombies are none."""
    mark = f"AVIARY_VAR={var}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command.decode(errors="replace").strip()
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found


def kill(pid: int) -> None:
    """As ``kill -9``; nothing where it is gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
