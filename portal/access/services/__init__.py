"""Everything that changes projects, environments, members and API keys."""

from portal.access.services.keys import IssuedKey, issue_key, revoke_key
from portal.access.services.members import (
    AddedMember,
    add_member,
    change_password,
    create_user,
    record_sign_in,
    record_sign_out,
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
    "change_password",
    "create_environment",
    "create_project",
    "create_user",
    "guess_kind",
    "issue_key",
    "record_sign_in",
    "record_sign_out",
    "remove_member",
    "renew_epoch",
    "revoke_key",
    "set_role",
]
