"""Members: people who were given something in a project."""

from dataclasses import dataclass, replace

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox, selectors
from portal.access.models import Environment, Grant, Project, User
from portal.access.permissions import Permission
from portal.access.services.grants import grant_role, keeping_an_admin, remove_grants
from portal.access.services.groups import remove_from_groups
from portal.access.services.people import create_user
from portal.access.tokens import new_password
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.journal import ActorKind


@dataclass(frozen=True, slots=True)
class AddedMember:
    """A person's first grant; ``password`` is set for a new person and shown once."""

    user: User
    grant: Grant
    password: str | None


@transaction.atomic
def add_member(
    *,
    project: Project,
    username: str,
    role: str,
    intent: Intent,
    environment: Environment | None = None,
) -> AddedMember:
    """Make someone a member by name; whoever is new gets an account and a random password.

    Raises Invalid when they are a member already or the name cannot be used, and where a key asks
    for somebody who has no account.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)  # before the audit trail's lock, which a new person takes
    user = User.objects.filter(username=username).first()
    if user and selectors.members_of(project).filter(pk=user.pk).exists():
        raise Invalid({"username": _("{name} is a member already.").format(name=username)})
    password = None
    if user is None and intent.actor.kind is ActorKind.KEY:
        text = _("Nobody is called {name}; API keys make no accounts. Send an invitation.")
        raise Invalid({"username": text.format(name=username)})
    if user is None:
        password = new_password()
        user = create_user(username=username, password=password, intent=intent)
    grant = grant_role(project=project, to=user, role=role, environment=environment, intent=intent)
    return AddedMember(user, grant, password)


@transaction.atomic
def remove_member(*, project: Project, user: User, intent: Intent) -> None:
    """Take away everything that a person has in a project, groups included.

    Raises Invalid where nobody could manage the members any more.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    with keeping_an_admin(project):
        if not selectors.members_of(project).filter(pk=user.pk).exists():
            return
        remove_grants(project, user, intent)
        remove_from_groups(project, user, intent)
        intent.record("member.removed", replace(user.recorded_as, project=project.key))
