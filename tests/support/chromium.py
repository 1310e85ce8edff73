"""The machine's own Chromium, for Playwright to drive."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def find() -> str | None:
    """Where it is, or None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def arguments() -> list[str]:
    """How to start it; its sandbox refuses to work for root."""
    return [*ARGUMENTS, *(["--no-sandbox"] if os.getuid() == 0 else [])]
