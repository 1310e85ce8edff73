"""Everything that changes projects, environments, people, roles and API keys."""

from portal.access.services.evidence_rights import confirm_key, set_evidence
from portal.access.services.grants import grant_role, revoke_grant, set_role
from portal.access.services.groups import (
    add_to_group,
    create_group,
    delete_group,
    edit_group,
    remove_from_group,
)
from portal.access.services.handing import NotByKeys, require_may_permit, require_may_reserve
from portal.access.services.invitations import (
    InvitationOver,
    NoSuchInvitation,
    SentInvitation,
    accept_invitation,
    create_invitation,
    join_by_invitation,
    open_invitation,
    revoke_invitation,
)
from portal.access.services.key_use import note_use, note_uses
from portal.access.services.keys import IssuedKey, edit_key, issue_key, revoke_key
from portal.access.services.members import AddedMember, add_member, remove_member
from portal.access.services.people import (
    change_password,
    create_user,
    record_sign_in,
    record_sign_out,
)
from portal.access.services.projects import (
    create_environment,
    create_project,
    edit_environment,
    edit_project,
    guess_kind,
    renew_epoch,
)
from portal.access.services.roles import (
    checked_names,
    checked_permissions,
    create_role,
    delete_role,
    names_reserved,
    store_role,
    store_rule,
)
from portal.access.services.sponsoring import confirm_approver

__all__ = [
    "AddedMember",
    "InvitationOver",
    "IssuedKey",
    "NoSuchInvitation",
    "NotByKeys",
    "SentInvitation",
    "accept_invitation",
    "add_member",
    "add_to_group",
    "change_password",
    "checked_names",
    "checked_permissions",
    "confirm_approver",
    "confirm_key",
    "create_environment",
    "create_group",
    "create_invitation",
    "create_project",
    "create_role",
    "create_user",
    "delete_group",
    "delete_role",
    "edit_environment",
    "edit_group",
    "edit_key",
    "edit_project",
    "grant_role",
    "guess_kind",
    "issue_key",
    "join_by_invitation",
    "names_reserved",
    "note_use",
    "note_uses",
    "open_invitation",
    "record_sign_in",
    "record_sign_out",
    "remove_from_group",
    "remove_member",
    "renew_epoch",
    "require_may_permit",
    "require_may_reserve",
    "revoke_grant",
    "revoke_invitation",
    "revoke_key",
    "set_evidence",
    "set_role",
    "store_role",
    "store_rule",
]
