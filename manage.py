#!/usr/bin/env python3
"""Django's command line. Uses the project's own virtual environment even when none is active."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def use_virtual_environment() -> None:
    """Hand over to ``.venv`` (made by ``make up``) where this Python has no Django."""
    python = Path(__file__).resolve().parent / ".venv" / "bin" / "python"
    if find_spec("django") is not None or Path(sys.prefix) == python.parent.parent:
        return
    if not python.exists():
        sys.exit("Django is not installed here; run `make install` first")
    os.execv(str(python), [str(python), *sys.argv])  # noqa: S606 - our own interpreter


def main() -> None:
    """Run one management command; a bad setting or an absent database is one line."""
    use_virtual_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    from portal.lib.env import SettingError

    try:
        execute_from_command_line(sys.argv)
    except SettingError as error:
        sys.exit(f"aviary: {error}")
    except OperationalError as error:
        sys.exit(f"aviary: the database cannot be used now ({error}); nothing was changed")


if __name__ == "__main__":
    main()
