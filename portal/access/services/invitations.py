from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.access import authority, outbox
from portal.access.models import Environment, Invitation, InvitationState, Project, User
from portal.access.permissions import Permission
from portal.access.services.grants import require_may_give, store_grant, validate
from portal.access.services.people import create_user
from portal.access.tokens import NO_VERIFIER, Token, new_token, parse_token
from portal.lib.errors import AviaryError, Invalid
from portal.lib.journal import Actor, ActorKind, Intent, Trace

LIFETIME = timedelta(days=7)
KIND = "invite"


class NoSuchInvitation(AviaryError):
    """The link opens nothing: nobody made it, or it was taken back."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            _("This invitation does not exist. Ask the person who sent it for a new link.")
        )


class InvitationOver(AviaryError):
    """The link was good once."""

    status = 410


@dataclass(frozen=True, slots=True)
class SentInvitation:
    """A new invitation and its token, which is shown once and kept nowhere."""

    invitation: Invitation
    token: Token


@transaction.atomic
def create_invitation(
    *,
    project: Project,
    role: str,
    intent: Intent,
    environment: Environment | None = None,
    note: str = "",
) -> SentInvitation:
    """Make a link with which one person joins a project within a week.

    Raises Forbidden without ``member.manage``; NotByKeys where a key would give too much; Invalid
    for a role that the project does not have.
    """
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=project)
    outbox.lock_people(project)
    known = authority.role_table(project)
    if role not in known:
        raise Invalid.of("role", _("Choose one of: {roles}."), roles=", ".join(known))
    require_may_give(intent.actor, project, [(role, environment.pk if environment else None)])
    token = new_token(KIND)
    invitation = Invitation(
        project=project,
        environment=environment,
        role=role,
        note=note.strip(),
        selector=token.selector,
        verifier=token.verifier,
        inviter=authority.user_of(intent.actor),
        made_with_id=int(intent.actor.id) if intent.actor.kind is ActorKind.KEY else None,
        created_by=intent.actor.label,
        created_at=intent.at,
        expires_at=intent.at + LIFETIME,
    )
    validate(invitation)
    invitation.save()
    intent.record("invitation.created", invitation, after=_describe(invitation))
    return SentInvitation(invitation, token)


@transaction.atomic
def revoke_invitation(*, invitation: Invitation, intent: Intent) -> None:
    """Take an invitation back. One that was accepted or taken back already stays as it is."""
    authority.require(intent.actor, Permission.MEMBER_MANAGE, project=invitation.project)
    if _unused(invitation).update(revoked_at=intent.at):
        intent.record("invitation.revoked", invitation, before=_describe(invitation))


def open_invitation(*, token: str, now: datetime) -> Invitation:
    """The invitation that a token opens; in the same time whether the token was ever issued.

    Raises NoSuchInvitation for an unknown or revoked one, InvitationOver where it was
    used or has expired.
    """
    invitation = _find(parse_token(token))
    state = invitation.state_at(now) if invitation else None
    if invitation is None or state is InvitationState.REVOKED:
        raise NoSuchInvitation
    if state is InvitationState.ACCEPTED:
        raise InvitationOver(_("This invitation has been used. Ask for a new one."))
    if state is InvitationState.EXPIRED:
        raise InvitationOver(_("This invitation has expired. Ask for a new one."))
    return invitation


@transaction.atomic
def accept_invitation(*, token: str, user: User, trace: Trace, now: datetime) -> Invitation:
    """Give somebody who has an account what a link promises.

    Raises as open_invitation; InvitationOver where its maker may not invite any more, or the
    role is gone.
    """
    return _accept(open_invitation(token=token, now=now), user, trace, now)


@transaction.atomic
def join_by_invitation(
    *, token: str, username: str, password: str, trace: Trace, now: datetime
) -> tuple[Invitation, User]:
    """Create an account with a name and password of the person's own choice, and accept with it.

    Raises as accept_invitation; Invalid for a name that is taken and a password that is too weak.
    """
    invitation = open_invitation(token=token, now=now)
    try:
        validate_password(password, User(username=username))
    except ValidationError as error:
        raise Invalid({"password": " ".join(error.messages)}) from None
    outbox.lock_people(
        invitation.project
    )  # before the audit trail's lock, which a new person takes
    user = create_user(
        username=username,
        password=password,
        intent=Intent(_host(invitation, trace)),
        inviter=_behind(invitation, trace),
    )
    return _accept(invitation, user, trace, now), user


def _accept(invitation: Invitation, user: User, trace: Trace, now: datetime) -> Invitation:
    project = invitation.project
    outbox.lock_people(project)
    host = _behind(invitation, trace)
    if host is None or Permission.MEMBER_MANAGE not in authority.permissions_of(
        host, project, None
    ):
        text = _("{name} may not invite people to {project} any more. Ask for a new invitation.")
        raise InvitationOver(text.format(name=invitation.created_by, project=project.name))
    if invitation.role not in authority.role_table(project):
        text = _("The role {role} does not exist any more. Ask for a new invitation.")
        raise InvitationOver(text.format(role=invitation.role))
    require_may_give(host, project, [(invitation.role, invitation.environment_id)])
    if _unused(invitation).update(accepted_at=now, accepted_by=user) != 1:
        raise InvitationOver(_("This invitation has been used. Ask for a new one."))
    store_grant(
        project=project,
        to=user,
        role=invitation.role,
        environment=invitation.environment,
        intent=Intent(_host(invitation, trace), at=now),
        giver=host,
    )
    accepting = Intent(authority.user_actor(user, trace), at=now)
    accepting.record("invitation.accepted", invitation, after=_describe(invitation))
    return invitation


def _find(token: Token | None) -> Invitation | None:
    """The invitation that a token proves. An unknown one takes as long as a wrong secret."""
    if token is None or token.kind != KIND:
        return None
    invitations = Invitation.objects.select_related("project", "environment", "inviter")
    found = invitations.filter(selector=token.selector).first()
    return found if token.proves(found.verifier if found else NO_VERIFIER) else None


def _unused(invitation: Invitation) -> QuerySet[Invitation]:
    return Invitation.objects.filter(
        pk=invitation.pk, accepted_at__isnull=True, revoked_at__isnull=True
    )


def _behind(invitation: Invitation, trace: Trace) -> Actor | None:
    """The maker of an invitation, with what they may do now; None where they are gone."""
    if invitation.made_with:
        return authority.key_actor(invitation.made_with, trace)
    return authority.user_actor(invitation.inviter, trace) if invitation.inviter else None


def _host(invitation: Invitation, trace: Trace) -> Actor:
    """Nobody gives themselves a role: it is the invitation that does, on its maker's word."""
    label = _("invitation by {name}").format(name=invitation.created_by)
    return Actor(ActorKind.SYSTEM, "", label, trace)


def _describe(invitation: Invitation) -> dict[str, object]:
    return {
        "role": invitation.role,
        "environment": invitation.environment.key if invitation.environment else "all",
        "note": invitation.note,
        "expires_at": invitation.expires_at.isoformat(),
        "invited_by": invitation.created_by,
    }
