"""Which processes belong to an installation: those that were given its folder."""

import contextlib
import os
import signal
from pathlib import Path


def of_installation(var: Path) -> dict[int, str]:
    """The command lines of all processes that work in ``var``, by process id; zombies are none.

    They were given its name or work in it. (Redis writes its title over its environment.)
    """
    folders = (
        f for f in Path("/proc").iterdir() if f.name.isdigit() and int(f.name) != os.getpid()
    )
    found = {}
    for folder in folders:
        with contextlib.suppress(OSError):  # it ended meanwhile, or is somebody else's
            if _works_in(folder, var):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command.decode(errors="replace").strip()
    return found


def _works_in(folder: Path, var: Path) -> bool:
    mark = f"AVIARY_VAR={var}".encode()
    return mark in (folder / "environ").read_bytes().split(b"\0") or (
        (folder / "cwd").readlink() == var
    )


def age_of(pid: int) -> int:
    """When it was started, in ticks: numbers of processes begin anew, and then say nothing."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])


def kill(pid: int) -> None:
    """As ``kill -9``; nothing where it is gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
