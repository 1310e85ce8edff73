"""Everything that changes projects, environments, members and API keys."""

from portal.access.services.keys import IssuedKey, issue_key, revoke_key
from portal.access.services.members import (
    AddedMember,
    add_member,
    create_user,
    remove_member,
    set_role,
)
from portal.access.services.projects import (
    create_environment,
    create_project,
    guess_kind,
    renew_epoch,
)

__all__ = [
    "AddedMember",
    "IssuedKey",
    "add_member",
    "create_environment",
    "create_project",
    "create_user",
    "guess_kind",
    "issue_key",
    "remove_member",
    "renew_epoch",
    "revoke_key",
    "set_role",
]
