"""Groups of people."""

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Group, Project, SponsorshipKind, User
from portal.access.permissions import Permission
from portal.access.services.grants import keeping_an_admin
from portal.access.services.handing import given_by, require_may_give
from portal.access.services.names import refuse_needed_name, refuse_taken_name
from portal.access.services.sponsoring import record_sponsorship
from portal.access.services.validation import validate
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


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
    """Give a group another name; its key stays. Raises Invalid for a name that is none."""
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
        text = _("The account of {name} is deactivated.").format(name=user.username)
        raise Invalid({"username": text})
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
