"""Measurements of this machine. ``make bench`` prints every figure that the README quotes."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def lines_of(module: str, argument: str, **settings: str) -> list[str]:
    """What a module prints as JSON, run in a process of its own, with a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="aviary-bench-") as folder:
        own = {"AVIARY_VAR": folder, "DJANGO_SETTINGS_MODULE": "portal.settings", **settings}
        others = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        command = [sys.executable, "-m", module, argument]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=others | own
        )
    lines: list[str] = json.loads(done.stdout)
    return lines


def start_django() -> None:
    """In such a process: the installation in its folder."""
    import django

    from portal.lib import env
    from portal.supervisor import state

    state.prepare(Path(os.environ["AVIARY_VAR"]))
    env.load_file()
    django.setup()
