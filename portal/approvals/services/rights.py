"""Rules and roles: what widens them where a policy holds, the policy must approve.

Lowering is whatever lets a change pass with less than before while everybody keeps the roles they
have: a policy that wants less, a rule that lets more roles in, a role that permits more. Who is
given a role is another matter: that takes ``member.manage`` and stands in the history.
"""

from collections.abc import Iterable

from django.urls import reverse
from django.utils.translation import gettext as _

from portal.access import authority, outbox, services as access
from portal.access.models import CustomRole, Environment, Project
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.changes import Change
from portal.approvals.descriptions import listed, role_label
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
from portal.approvals.services.requests import gated
from portal.lib import merging
from portal.lib.journal import Intent

RULE, ROLE = "rule", "role"
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


@gated
def edit_role(
    *, role: CustomRole, name: str, permissions: Iterable[str], intent: Intent
) -> CustomRole:
    """Rename a role, or change what it permits.

    Raises Forbidden without ``member.manage``; NotByKeys where a key would have it permit more than
    its maker may do; Invalid for unknown permissions and where nobody could manage the members any
    more; Waiting where it permits more and a policy of the project wants others to agree.
    """
    project = role.project
    gate.require(intent, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    role = project.custom_roles.get(pk=role.pk)
    wanted = access.checked_permissions(permissions)
    more = set(wanted) - set(role.permissions)
    access.require_may_permit(intent.actor, project, more)
    if more & set(map(str, WATCHED)):
        intent = gate.check(_role_change(role, name, wanted), intent).intent
    return access.store_role(role=role, name=name, permissions=wanted, intent=intent)


@gated
def reserve(
    *, environment: Environment, permission: str, names: Iterable[str] | None, intent: Intent
) -> None:
    """Reserve a permission in an environment for roles and groups; None opens it again.

    Raises Forbidden without ``environment.configure``; Invalid for names that the project does not
    have, and for permissions that are not about one environment; Waiting where it lets more roles
    in and the environment's policy wants others to agree.
    """
    project = environment.project
    gate.require(intent, Permission.ENVIRONMENT_CONFIGURE, project=project, environment=environment)
    outbox.lock_people(project)
    wanted = access.checked_names(project, permission, names)
    before = access.names_reserved(environment, permission)
    if wanted == before:
        return
    access.require_may_reserve(intent.actor, permission)
    if permission in WATCHED and _allowed(project, permission, wanted) - _allowed(
        project, permission, before
    ):
        change = _rule_change(environment, permission, before, wanted)
        intent = gate.check(change, intent).intent
    access.store_rule(environment=environment, permission=permission, names=wanted, intent=intent)


def _find_rule(target: Target) -> tuple[Environment, str]:
    return target.place, target.subject


def _apply_rule(rule: tuple[Environment, str], wanted: Wanted) -> None:
    environment, permission = rule
    names = wanted.document["roles"]
    reserve(environment=environment, permission=permission, names=names, intent=wanted.intent)


def _who_may(_rule: object, request: ChangeRequest) -> list[Outcome]:
    label = str(Permission(request.subject).label)
    return [Outcome(label, _who(request.before["roles"]), _who(request.after["roles"]))]


def _find_role(target: Target) -> CustomRole:
    return target.project.custom_roles.get(key=target.subject)


def _apply_role(role: CustomRole, wanted: Wanted) -> None:
    name, permissions = wanted.document["name"], wanted.document["permissions"]
    edit_role(role=role, name=name, permissions=permissions, intent=wanted.intent)


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


def _allowed(project: Project, permission: str, reserved: list[str] | None) -> set[str]:
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
    is_dangerous=True,
    page=lambda target: reverse("policy", args=[target.project.key, target.place.key]),
    merge=_merge,
    outcomes=_who_may,
)
ROLE_HANDLER = Handler(
    find=_find_role,
    current=lambda role, _wanted: Side("", _describe(role.name, role.permissions)),
    apply=_apply_role,
    is_dangerous=True,
    page=lambda target: reverse("member-list", args=[target.project.key]),
    merge=_merge,
    outcomes=_what_it_permits,
)
