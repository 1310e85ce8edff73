from collections.abc import Iterable
from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext as _, ngettext

from portal.access import authority, outbox
from portal.access.models import (
    ActionRule,
    CustomRole,
    Environment,
    Group,
    Project,
    SponsorshipKind,
    User,
)
from portal.access.outbox import name_removing
from portal.access.permissions import RESERVABLE, Permission
from portal.access.services.grants import (
    given_by,
    keeping_an_admin,
    require_may_give,
    require_may_permit,
    validate,
)
from portal.access.services.sponsoring import record_sponsorship
from portal.lib.errors import Invalid
from portal.lib.journal import Intent


@transaction.atomic
def create_role(
    *, project: Project, key: str, name: str, permissions: Iterable[str], intent: Intent
) -> CustomRole:
    """Create a role. Raises Invalid for a name that is taken and for unknown permissions.

    Raises NotByKeys where a key would have it permit too much.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    refuse_taken_name(project, key)
    role = CustomRole(project=project, key=key, name=name.strip() or key)
    role.permissions = checked_permissions(permissions)
    require_may_permit(intent.actor, project, role.permissions)
    validate(role)
    role.save()
    intent.record("role.created", role, after=_describe(role))
    return role


def store_role(
    *, role: CustomRole, name: str, permissions: Iterable[str], intent: Intent
) -> CustomRole:
    """Write down what a role is to be; for services that have asked who may, and who agreed."""
    with keeping_an_admin(role.project):
        role = CustomRole.objects.select_related("project").get(pk=role.pk)
        before = _describe(role)
        role.name = name.strip() or role.key
        role.permissions = checked_permissions(permissions)
        validate(role)
        if _describe(role) != before:
            role.save()
            intent.record("role.edited", role, before=before, after=_describe(role))
    return role


@transaction.atomic
def delete_role(*, role: CustomRole, intent: Intent) -> None:
    """Remove a role. Raises Invalid while somebody holds it or a policy names it."""
    project = role.project
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    holders = project.grants.filter(role=role.key).count()
    if holders:
        raise Invalid.of(
            "",
            ngettext(
                "The role {name} is still given to somebody; take it away there first.",
                "The role {name} is still given {count} times; take it away there first.",
                holders,
            ),
            name=role.name,
            count=holders,
        )
    refuse_needed_name(project, role.key)
    intent.record("role.deleted", role, before=_describe(role))
    role.delete()


def names_reserved(environment: Environment, permission: str) -> list[str] | None:
    """For whom an environment reserves a permission; None where it does not."""
    rule = ActionRule.objects.filter(environment=environment, permission=permission).first()
    return rule.roles if rule else None


def store_rule(
    *, environment: Environment, permission: str, names: list[str] | None, intent: Intent
) -> None:
    """Write a rule down; for services that have asked who may, and who agreed."""
    wanted = names
    before = names_reserved(environment, permission)
    if wanted is None:
        ActionRule.objects.filter(environment=environment, permission=permission).delete()
    else:
        ActionRule.objects.update_or_create(
            environment=environment, permission=permission, defaults={"roles": wanted}
        )
    intent.record(
        "rule.changed",
        replace(environment.recorded_as, kind="rule", name=permission),
        before=None if before is None else {"roles": before},
        after=None if wanted is None else {"roles": wanted},
    )


def checked_names(
    project: Project, permission: str, names: Iterable[str] | None
) -> list[str] | None:
    """The names in order. Raises Invalid for unknown ones, and where it cannot be reserved."""
    if permission not in {str(one) for one in RESERVABLE}:
        raise Invalid.of(
            "permission",
            _("{permission} is not about one environment and cannot be reserved in it."),
            permission=permission,
        )
    if names is None:
        return None
    wanted = sorted(set(names))
    known = {*authority.role_table(project), *project.groups.values_list("key", flat=True)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Invalid.of(
            "roles",
            _("There is no role or group called {names}. There are: {known}."),
            names=", ".join(unknown),
            known=", ".join(sorted(known)),
        )
    return wanted


def checked_permissions(permissions: Iterable[str]) -> list[str]:
    """The permissions in order. Raises Invalid for unknown ones."""
    wanted = sorted(set(permissions))
    unknown = [name for name in wanted if name not in Permission.values]
    if unknown:
        raise Invalid.of(
            "permissions", _("There is no permission called {names}."), names=", ".join(unknown)
        )
    return wanted


def _describe(role: CustomRole) -> dict[str, object]:
    return {"name": role.name, "permissions": role.permissions}


# Groups of people.


@transaction.atomic
def create_group(*, project: Project, key: str, name: str, intent: Intent) -> Group:
    """Create a group without members. Raises Invalid when a role or group has the name already."""
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    refuse_taken_name(project, key)
    group = Group(project=project, key=key, name=name.strip() or key)
    validate(group)
    group.save()
    intent.record("group.created", group, after={"name": group.name})
    return group


@transaction.atomic
def edit_group(*, group: Group, name: str, intent: Intent) -> Group:
    """Give a group another name; its key stays. Raises Invalid for an unusable name."""
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=group.project)
    outbox.lock_people(group.project)
    group.refresh_from_db(fields=["name"])
    before, group.name = group.name, name.strip()
    validate(group)
    if group.name != before:
        group.save(update_fields=["name"])
        intent.record("group.edited", group, before={"name": before}, after={"name": group.name})
    return group


@transaction.atomic
def delete_group(*, group: Group, intent: Intent) -> None:
    """Remove a group and what it was given.

    Raises Invalid while a policy names it, or where nobody could manage the members any more.
    """
    project = group.project
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    with keeping_an_admin(project):
        refuse_needed_name(project, group.key)
        before: dict[str, object] = {
            "members": sorted(user.username for user in group.members.all()),
            "roles": sorted(group.grants.values_list("role", flat=True)),
        }
        intent.record("group.deleted", group, before=before)
        group.delete()


@transaction.atomic
def add_to_group(*, group: Group, user: User, intent: Intent) -> None:
    """Put a person into a group; again changes nothing. Raises NotByKeys as grant_role does."""
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=group.project)
    outbox.lock_people(group.project)
    require_may_give(intent.actor, group.project, given_by(group))
    if not user.is_active:
        raise Invalid.of("username", _("The account of {name} is deactivated."), name=user.username)
    if not group.members.filter(pk=user.pk).exists():
        group.members.add(user)
        intent.record("group.member_added", group, after={"member": user.username})
        kind = SponsorshipKind.GROUP
        record_sponsorship(intent.actor, user, kind, project=group.project, name=group.key)


@transaction.atomic
def remove_from_group(*, group: Group, user: User, intent: Intent) -> None:
    """Take a person out of a group. Raises Invalid where nobody could manage the members."""
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=group.project)
    with keeping_an_admin(group.project):
        _leave(group, user, intent)


def remove_from_groups(project: Project, user: User, intent: Intent) -> None:
    """Take a person out of all groups of a project; for services that have asked who may."""
    for group in project.groups.filter(members=user):
        _leave(group, user, intent)


def _leave(group: Group, user: User, intent: Intent) -> None:
    if group.members.filter(pk=user.pk).exists():
        group.members.remove(user)
        intent.record("group.member_removed", group, before={"member": user.username})


# The one name space of roles and groups: policies name either.


def refuse_taken_name(project: Project, key: str) -> None:
    """Raise Invalid where a role or group of the project has this name already."""
    if key in authority.role_table(project) or project.groups.filter(key=key).exists():
        raise Invalid.of(
            "key",
            _("There is a role or group called {name} already; choose another name."),
            name=key,
        )


def refuse_needed_name(project: Project, key: str) -> None:
    """Raise Invalid where an environment reserves something for a role or group of this name.

    Those above access are asked as well: they may need the name for policies of theirs.
    """
    for rule in ActionRule.objects.filter(environment__project=project).select_related(
        "environment"
    ):
        if key in rule.roles:
            text = _("{environment} reserves {permission} for {name}; change that first.")
            where = rule.environment.name
            sentence = text.format(environment=where, permission=rule.permission, name=key)
            raise Invalid({"": sentence})
    name_removing.send(sender=None, project=project, name=key)
