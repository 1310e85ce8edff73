"""Rules and roles: what widens them where a policy holds, the policy must approve.

Lowering is whatever lets a change pass with less than before while everybody keeps the roles they
have: a policy that wants less, a rule that lets more roles in, a role that permits more. Who is
given a role is another matter: that takes ``member.manage`` and stands in the history.
"""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access import services as access
from portal.access.models import CustomRole, Environment, Project
from portal.access.permissions import Permission
from portal.access.signals import Postponed
from portal.approvals import gate
from portal.approvals.changes import Change
from portal.approvals.errors import ApprovalRequired, Waiting
from portal.approvals.handlers import (
    Handler,
    Merged,
    Outcome,
    Side,
    Sides,
    Target,
    Wanted,
)
from portal.approvals.models import ChangeRequest
from portal.approvals.services.requests import file_request
from portal.approvals.wording import listed, role_label
from portal.lib import merging
from portal.lib.intent import Intent

RULE, ROLE = "rule", "role"
Document = Mapping[str, Any]
# What stands between somebody and a change where a policy holds. Who may manage members may give
# themselves the rest.
WATCHED = frozenset(
    {
        Permission.CHANGE_REQUEST_APPROVE,
        Permission.CHANGE_REQUEST_APPLY,
        Permission.FLAG_EDIT,
        Permission.FLAG_TOGGLE,
        Permission.FLAG_ARCHIVE,
        Permission.SEGMENT_EDIT,
        Permission.RELEASE_APPROVE,
        Permission.MEMBER_MANAGE,
    }
)


def on_rule_changing(
    *,
    environment: Environment,
    permission: str,
    before: list[str] | None,
    after: list[str] | None,
    intent: Intent,
    **_signal: Any,
) -> None:
    """Have a rule that lets more roles in approved by the policy of its environment."""
    was, becomes = (_allowed(environment.project, permission, one) for one in (before, after))
    if permission in WATCHED and becomes - was:
        _demand(_rule_change(environment, permission, before, after), intent)


def on_role_changing(
    *, role: CustomRole, name: str, permissions: list[str], intent: Intent, **_signal: Any
) -> None:
    """Have a role that permits more approved by every policy of its project."""
    if (set(permissions) - set(role.permissions)) & set(map(str, WATCHED)):
        _demand(_role_change(role, name, permissions), intent)


def _find_rule(target: Target) -> tuple[Environment, str]:
    return target.place, target.subject


def _apply_rule(rule: tuple[Environment, str], wanted: Wanted) -> None:
    environment, permission = rule
    outbox.lock_environments([environment])
    names = access.checked_names(environment.project, permission, wanted.document["roles"])
    before = access.names_reserved(environment, permission)
    if names == before:
        return
    intent = gate.check(_rule_change(environment, permission, before, names), wanted.intent).intent
    access.store_rule(environment=environment, permission=permission, names=names, intent=intent)


def _who_may(_rule: object, request: ChangeRequest) -> list[Outcome]:
    label = str(Permission(request.subject).label)
    return [Outcome(label, _who(request.before["roles"]), _who(request.after["roles"]))]


def _find_role(target: Target) -> CustomRole:
    return target.project.custom_roles.get(key=target.subject)


def _apply_role(role: CustomRole, wanted: Wanted) -> None:
    name, permissions = wanted.document["name"], wanted.document["permissions"]
    if _describe(role.name, role.permissions) == _describe(name, permissions):
        return
    intent = gate.check(_role_change(role, name, permissions), wanted.intent).intent
    access.store_role(role=role, name=name, permissions=permissions, intent=intent)


def _what_it_permits(_role: object, request: ChangeRequest) -> list[Outcome]:
    sides = (_permitted(one["permissions"]) for one in (request.before, request.after))
    return [Outcome(request.after["name"], *sides)]


def _who(names: list[str] | None) -> tuple[str, ...]:
    if names is None:
        return (_("Everybody whose role permits it."),)
    if not names:
        return (_("Nobody."),)
    return (_("Only {names}.").format(names=listed(map(role_label, names))),)


def _permitted(permissions: list[str]) -> tuple[str, ...]:
    return tuple(str(Permission(one).label) for one in permissions if one in Permission.values)


def _merge(_row: object, _request: ChangeRequest, sides: Sides) -> Merged:
    """What was added or removed on both sides; a name that both changed is a clash."""
    members = merging.Merging.members
    merged = sides.merged({"roles": members, "permissions": members})
    labels = {"name": _("The name"), "roles": _("Who may do it")}
    return Merged(merged.document, tuple(labels[one.field] for one in merged.clashes))


def _demand(change: Change, intent: Intent) -> None:
    try:
        gate.check(change, intent)
    except ApprovalRequired as needed:
        held = needed
        raise Postponed(lambda: Waiting(file_request(held))) from None


def _allowed(project: Project, permission: str, reserved: list[str] | None) -> set[str]:
    """Who holds a permission under a rule, by the names of roles and groups."""
    if reserved is not None:
        return set(reserved)
    roles = authority.role_table(project).items()
    return {name for name, permitted in roles if permission in permitted}


def _rule_change(
    environment: Environment, permission: str, before: list[str] | None, after: list[str] | None
) -> Change:
    label = Permission(permission).label
    whom = listed(after) if after else _("everybody whose role permits it")
    text = _("In {environment}, let {whom} {permission}")
    return Change(
        kind=RULE,
        project=environment.project,
        environments=(environment,),
        place=environment,
        subject_kind="rule",
        subject=permission,
        title=text.format(environment=environment.name, whom=whom, permission=label),
        base_version="",
        before={"roles": before},
        after={"roles": after},
        permissions=(Permission.ENVIRONMENT_CONFIGURE,),
        words=(_("More people than before could do this: {names}.").format(names=whom),),
        serves=False,
    )


def _role_change(role: CustomRole, name: str, permissions: list[str]) -> Change:
    more = sorted(set(permissions) - set(role.permissions))
    labels = [str(Permission(one).label) for one in more]
    return Change(
        kind=ROLE,
        project=role.project,
        environments=tuple(role.project.environments.all()),
        subject_kind="role",
        subject=role.key,
        title=_("Let the role {name} do more").format(name=role.name),
        base_version="",
        before=_describe(role.name, role.permissions),
        after=_describe(name.strip() or role.key, permissions),
        permissions=(Permission.MEMBER_MANAGE,),
        words=(_("It also permits: {permissions}.").format(permissions=listed(labels)),),
        serves=False,
    )


def _describe(name: str, permissions: list[str]) -> dict[str, object]:
    return {"name": name, "permissions": sorted(permissions)}


RULE_HANDLER = Handler(
    find=_find_rule,
    current=lambda rule, _wanted: Side("", {"roles": access.names_reserved(*rule)}),
    apply=_apply_rule,
    permission=Permission.ENVIRONMENT_CONFIGURE,
    page=lambda target: reverse("policy", args=[target.project.key, target.place.key]),
    merge=_merge,
    outcomes=_who_may,
)
ROLE_HANDLER = Handler(
    find=_find_role,
    current=lambda role, _wanted: Side("", _describe(role.name, role.permissions)),
    apply=_apply_role,
    permission=Permission.MEMBER_MANAGE,
    page=lambda target: reverse("member-list", args=[target.project.key]),
    merge=_merge,
    outcomes=_what_it_permits,
)
