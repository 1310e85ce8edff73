"""Verifying an export as an auditor does: elsewhere, with nothing but Python."""

import subprocess
import sys
import zipfile
from pathlib import Path


def unpacked(packed: Path) -> Path:
    """The exported file, unpacked beside the script that came with it."""
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(packed.parent)
    (file,) = packed.parent.glob("history-*.jsonl")
    return file


def verify(file: Path, status: int) -> str:
    """Run the script that came with an export; what it said."""
    done = subprocess.run(
        [sys.executable, "-I", "verify.py", file.name],
        check=False,
        cwd=file.parent,
        env={},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done
    return done.stdout
