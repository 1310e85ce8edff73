"""What access tells those above it, who subscribe; it knows none of them."""

from collections.abc import Callable

from django.dispatch import Signal

from portal.lib.errors import AviaryError

# Sent after the commit of a change that evaluators have to learn of, with ``environment_ids``.
# A hint and nothing more: who misses it finds the same in the database.
environments_advanced = Signal()

# Sent inside the transaction that creates an environment, with ``environment`` and ``now``:
# whoever has something to prepare in it does so now, or the environment is not created.
environment_created = Signal()

# Sent inside the transaction that removes a role or a group, with ``project`` and ``name``:
# whoever still needs the name raises Invalid and says what to do, and it stays.
name_removing = Signal()

# Sent inside the transaction that changes for whom an environment reserves a permission, with
# ``environment``, ``permission``, ``before`` and ``after`` (lists of names; None where it is not
# reserved), ``actor`` and ``now``. Whoever wants somebody to agree first raises Postponed.
rule_changing = Signal()

# The same for the permissions of a project's own role, with ``role`` (as it is before), ``name``
# and ``permissions`` as they are to be, ``actor`` and ``now``.
role_changing = Signal()

# Sent where a key gives somebody roles or groups, with ``project`` and ``names``: whoever knows of
# one that takes a person to hand out raises an error that says so.
handing_out = Signal()


class Postponed(Exception):
    """A change does not happen now. ``file`` keeps it, once all of it is undone.

    It returns the error that says where the change waits.
    """

    def __init__(self, file: Callable[[], AviaryError]) -> None:
        super().__init__("postponed")
        self.file = file
