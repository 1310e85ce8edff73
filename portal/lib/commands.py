import getpass

from django.core.management.base import BaseCommand, CommandError

from portal.lib import journal
from portal.lib.errors import AviaryError


class ManageCommand(BaseCommand):
    """A command that starts at once: Django's checks load every page, which takes a second.

    What they find is in our code, and `make check` asks for it.
    """

    requires_system_checks = ()


def operator(command: str, *, person: str = "", person_id: str = "") -> journal.Actor:
    """The actor for a command: who types it on the machine may do everything, and is named.

    ``person`` is who answers for what the command asks others to approve.
    """
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = "unknown"
    label = f"manage.py {command} ({who})"
    label = f"{label} for {person}" if person else label
    return journal.Actor(journal.ActorKind.SYSTEM, person_id, label)


def failure(error: AviaryError) -> CommandError:
    """One clear line instead of a traceback."""
    return CommandError(str(error))
