"""Everything that changes people and their roles."""

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority
from portal.access.models import Membership, Project, User
from portal.access.permissions import Permission, Role
from portal.access.services.validation import validate
from portal.access.tokens import new_password
from portal.lib import journal
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, Entry


@transaction.atomic
def create_user(*, username: str, password: str, actor: Actor, is_superuser: bool = False) -> User:
    """Create someone who can sign in. Raises Invalid when the name is taken or malformed."""
    user = User(username=username, is_superuser=is_superuser, is_staff=is_superuser)
    user.set_password(password)
    validate(user)
    user.save()
    journal.write(
        Entry(
            event="user.created",
            actor=actor,
            subject_kind="user",
            subject=username,
            after={"site_administrator": is_superuser},
        )
    )
    return user


@transaction.atomic
def change_password(*, user: User, password: str, actor: Actor) -> None:
    """Set someone's password. The caller has made sure that the actor may, and that it is fit."""
    user.set_password(password)
    user.save(update_fields=["password"])
    _record_person("user.password_changed", user.username, actor)


@transaction.atomic
def record_sign_in(*, actor: Actor) -> None:
    """Keep that someone signed in."""
    _record_person("user.signed_in", actor.label, actor)


@transaction.atomic
def record_sign_out(*, actor: Actor) -> None:
    """Keep that someone signed out."""
    _record_person("user.signed_out", actor.label, actor)


def _record_person(event: str, username: str, actor: Actor) -> None:
    journal.write(Entry(event=event, actor=actor, subject_kind="user", subject=username))


@dataclass(frozen=True, slots=True)
class AddedMember:
    """A member; ``password`` is set for a new person and shown once."""

    membership: Membership
    password: str | None


@transaction.atomic
def add_member(*, project: Project, username: str, role: str, actor: Actor) -> AddedMember:
    """Make someone a member by name; whoever is new gets an account and a random password.

    Raises Invalid when they are a member already or the name cannot be used.
    """
    authority.require(actor, Permission.MEMBER_MANAGE, project=project)
    user = User.objects.filter(username=username).first()
    if user and project.memberships.filter(user=user).exists():
        raise Invalid({"username": _("{name} is a member already.").format(name=username)})
    password = None
    if user is None:
        password = new_password()
        user = create_user(username=username, password=password, actor=actor)
    membership = set_role(project=project, user=user, role=role, actor=actor)
    return AddedMember(membership, password)


@transaction.atomic
def set_role(*, project: Project, user: User, role: str, actor: Actor) -> Membership:
    """Make someone a member, or change what they are. Raises Invalid for an unknown role."""
    authority.require(actor, Permission.MEMBER_MANAGE, project=project)
    if role not in Role.values:
        raise Invalid({"role": _("Choose one of: {roles}.").format(roles=", ".join(Role.values))})
    if role != Role.ADMIN:
        _keep_an_admin(project, user)
    return store_role(project=project, user=user, role=role, actor=actor)


@transaction.atomic
def remove_member(*, project: Project, user: User, actor: Actor) -> None:
    """End someone's membership; raises Invalid for the last admin of a project."""
    authority.require(actor, Permission.MEMBER_MANAGE, project=project)
    membership = project.memberships.select_for_update().filter(user=user).first()
    if membership is None:
        return
    _keep_an_admin(project, user)
    role = membership.role
    membership.delete()
    journal.write(
        Entry(
            event="member.removed",
            actor=actor,
            subject_kind="user",
            subject=user.username,
            project=project.key,
            before={"role": role},
        )
    )


def store_role(*, project: Project, user: User, role: str, actor: Actor) -> Membership:
    before = Membership.objects.select_for_update().filter(project=project, user=user).first()
    membership, _created = Membership.objects.update_or_create(
        project=project, user=user, defaults={"role": role}
    )
    journal.write(
        Entry(
            event="member.role_set",
            actor=actor,
            subject_kind="user",
            subject=user.username,
            project=project.key,
            before={"role": before.role} if before else None,
            after={"role": str(role)},
        )
    )
    return membership


def _keep_an_admin(project: Project, leaving: User) -> None:
    """Lock the project's admins and refuse to lose the last one."""
    admins = list(project.memberships.select_for_update().filter(role=Role.ADMIN))
    if [membership.user_id for membership in admins] == [leaving.pk]:
        raise Invalid({"": _("A project keeps at least one admin; make someone else admin first.")})
