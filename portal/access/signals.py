"""What access tells those above it, who subscribe; it knows none of them."""

from django.dispatch import Signal

# Sent after the commit of a change that evaluators have to learn of, with ``environment_ids``.
# A hint and nothing more: who misses it finds the same in the database.
environments_advanced = Signal()

# Sent inside the transaction that creates an environment, with ``environment`` and ``now``:
# whoever has something to prepare in it does so now, or the environment is not created.
environment_created = Signal()

# Sent inside the transaction that removes a role or a group, with ``project`` and ``name``:
# whoever still needs the name raises Invalid and says what to do, and it stays.
name_removing = Signal()

# Sent where a key gives somebody roles or groups, with ``project`` and ``names``: whoever knows of
# one that takes a person to hand out raises an error that says so.
handing_out = Signal()
