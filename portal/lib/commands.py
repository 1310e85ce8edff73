"""What management commands have in common."""

import getpass

from django.core.management.base import CommandError

from portal.lib import journal
from portal.lib.errors import AviaryError


def operator(command: str) -> journal.Actor:
    """The actor for a command: whoever types it on the machine may do everything, and is named."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = "unknown"
    return journal.system(f"manage.py {command} ({who})")


def failure(error: AviaryError) -> CommandError:
    """One clear line instead of a traceback."""
    return CommandError(str(error))
