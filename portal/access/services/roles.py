"""A project's own roles, and what its environments reserve for which role."""

from collections.abc import Iterable
from dataclasses import replace

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.access import authority, outbox
from portal.access.models import ActionRule, CustomRole, Environment, Project
from portal.access.permissions import RESERVABLE, Permission
from portal.access.services.grants import keeping_an_admin
from portal.access.services.handing import require_may_permit
from portal.access.services.names import refuse_needed_name, refuse_taken_name
from portal.access.services.validation import validate
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


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
        text = ngettext(
            "The role {name} is still given to somebody; take it away there first.",
            "The role {name} is still given {count} times; take it away there first.",
            holders,
        )
        raise Invalid({"": text.format(name=role.name, count=holders)})
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
        text = _("{permission} is not about one environment and cannot be reserved in it.")
        raise Invalid({"permission": text.format(permission=permission)})
    if names is None:
        return None
    wanted = sorted(set(names))
    known = {*authority.role_table(project), *project.groups.values_list("key", flat=True)}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        text = _("There is no role or group called {names}. There are: {known}.")
        raise Invalid(
            {"roles": text.format(names=", ".join(unknown), known=", ".join(sorted(known)))}
        )
    return wanted


def checked_permissions(permissions: Iterable[str]) -> list[str]:
    """The permissions in order. Raises Invalid for unknown ones."""
    wanted = sorted(set(permissions))
    unknown = [name for name in wanted if name not in Permission.values]
    if unknown:
        text = _("There is no permission called {names}.").format(names=", ".join(unknown))
        raise Invalid({"permissions": text})
    return wanted


def _describe(role: CustomRole) -> dict[str, object]:
    return {"name": role.name, "permissions": role.permissions}
