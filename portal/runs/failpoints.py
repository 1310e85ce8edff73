"""Points at which a test ends or stops a process, in the code that all due work shares."""

import os
from contextlib import suppress
from pathlib import Path

# In this folder a file that is named like a point holds the number of a signal. The first process
# that comes to the point takes the file away and sends the signal to itself.
_FOLDER = os.environ.get("AVIARY_FAILPOINTS", "")


def failpoint(name: str) -> None:
    """Do nothing, but in an installation that a test has started with AVIARY_FAILPOINTS."""
    if not _FOLDER:
        return
    file = Path(_FOLDER) / name
    with suppress(FileNotFoundError):  # nobody asked for it, or another process was quicker
        number = int(file.read_text())
        file.unlink()
        os.kill(os.getpid(), number)
