from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox, selectors
from portal.access.models import Environment, Grant, Project, SponsorshipKind, User
from portal.access.permissions import Permission
from portal.access.services.grants import grant_role, keeping_an_admin, remove_grants, validate
from portal.access.services.roles import remove_from_groups
from portal.access.services.sponsoring import record_sponsorship
from portal.access.tokens import new_password
from portal.lib import journal, lookalikes
from portal.lib.errors import Invalid
from portal.lib.journal import Actor, ActorKind, Entry, Intent


@transaction.atomic
def create_user(
    *,
    username: str,
    password: str,
    intent: Intent,
    is_superuser: bool = False,
    inviter: Actor | None = None,
) -> User:
    """Create someone who can sign in; ``inviter`` is who let them choose name and password.

    Raises Invalid when the name is malformed, taken, or can be taken for that of another account.
    """
    username = User.normalize_username(username)
    user = User(username=username, is_superuser=is_superuser, is_staff=is_superuser)
    user.set_password(password)
    validate(user)
    _check_name(username)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # somebody else took the name between our look and this
        _check_name(username)
        raise
    intent.record("user.created", user, after={"site_administrator": is_superuser})
    kind = SponsorshipKind.INVITATION if inviter else SponsorshipKind.ACCOUNT
    record_sponsorship(inviter or intent.actor, user, kind)
    return user


def _check_name(username: str) -> None:
    """Raise Invalid for a name that mixes scripts, or that people would take for another's."""
    if not lookalikes.is_of_one_script(username):
        raise Invalid({"username": _("Use letters of one script, such as Latin or Cyrillic.")})
    other = selectors.lookalike_of(username)
    if other:
        raise Invalid.of(
            "username",
            _("“{name}” can be taken for the account “{other}”. Choose another name."),
            name=username,
            other=other.username,
        )


@transaction.atomic
def change_password(*, user: User, password: str, intent: Intent) -> None:
    """Set someone's password. The caller has made sure that the actor may, and that it is fit."""
    user.set_password(password)
    user.save(update_fields=["password"])
    intent.record("user.password_changed", user)
    record_sponsorship(intent.actor, user, SponsorshipKind.PASSWORD)


@transaction.atomic
def record_sign_in(*, actor: Actor) -> None:
    _record_person("user.signed_in", actor.label, actor)


@transaction.atomic
def record_sign_out(*, actor: Actor) -> None:
    _record_person("user.signed_out", actor.label, actor)


def _record_person(event: str, username: str, actor: Actor) -> None:
    journal.write(Entry(event=event, actor=actor, subject_kind="user", subject=username))


# Members: people who were given something in a project.


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
    """Make someone a member by name; a new person gets an account and a random password.

    Raises Invalid when they are a member already or the name cannot be used, and where a key asks
    for somebody who has no account.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)  # before the audit trail's lock, which a new person takes
    user = User.objects.filter(username=username).first()
    if user and selectors.members_of(project).filter(pk=user.pk).exists():
        raise Invalid.of("username", _("{name} is a member already."), name=username)
    password = None
    if user is None and intent.actor.kind is ActorKind.KEY:
        raise Invalid.of(
            "username",
            _("There is no user {name}; API keys cannot create accounts. Send an invitation."),
            name=username,
        )
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
