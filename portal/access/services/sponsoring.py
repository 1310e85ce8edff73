from dataclasses import replace
from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority, outbox, selectors
from portal.access.models import (
    ApproverConfirmation,
    Environment,
    Group,
    Project,
    Sponsorship,
    SponsorshipKind,
    User,
)
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Actor, Intent


def record_sponsorship(
    giver: Actor,
    person: User,
    kind: SponsorshipKind,
    *,
    project: Project | None = None,
    environment: Environment | None = None,
    name: str = "",
) -> None:
    """Keep what ``giver`` did for somebody else, in the transaction that does it.

    What a key does is its maker's doing. What a command or the product itself does is nobody's:
    who types commands on the machine holds the database anyway. Who let the giver manage members
    did it as well: else an account that may do nothing but that could give itself a vote.
    """
    sponsor = authority.answerable(giver)
    if sponsor is None:
        return
    moment = clock.database_now()
    sponsors = {sponsor.pk, *_behind(sponsor, project)} - {person.pk}
    Sponsorship.objects.bulk_create(
        Sponsorship(
            sponsor_id=pk,
            person=person,
            kind=kind,
            project=project,
            environment=environment,
            name=name,
            at=moment,
        )
        for pk in sorted(sponsors)
    )


def _behind(giver: User, project: Project | None) -> set[int]:
    """Who lately let somebody manage members, and who let these; in any project for an account."""
    rows = Sponsorship.objects.filter(
        kind__in=(SponsorshipKind.ROLE, SponsorshipKind.GROUP),
        at__gt=clock.database_now() - timedelta(days=selectors.MOST_DAYS),
    ).select_related("project")
    rows = rows.filter(project=project) if project else rows
    found, new = {giver.pk}, {giver.pk}
    while new:
        given = rows.filter(person__in=new)
        new = {row.sponsor_id for row in given if _lets_manage(row)} - found
        found |= new
    return found - {giver.pk}


def _lets_manage(row: Sponsorship) -> bool:
    assert row.project is not None, "roles and groups are of a project"
    groups = row.project.grants.filter(group__key=row.name).values_list("role", flat=True)
    names = {row.name, *groups} if row.kind == SponsorshipKind.GROUP else {row.name}
    held = authority.role_assignments_of_names([(name, None) for name in names], row.project)
    permitted = any(Permission.MEMBER_MANAGE in held.roles.get(name, ()) for name in names)
    reserved = (
        names & who
        for (_place, permission), who in held.rules.items()
        if permission == Permission.MEMBER_MANAGE
    )
    return permitted or any(reserved)


def record_role(
    giver: Actor, to: User | Group, role: str, project: Project, environment: Environment | None
) -> None:
    """Keep who gave a role; one given to a group is given to all who are in it."""
    for person in [to] if isinstance(to, User) else to.members.all():
        record_sponsorship(
            giver,
            person,
            SponsorshipKind.ROLE,
            project=project,
            environment=environment,
            name=role,
        )


@transaction.atomic
def confirm_approver(*, project: Project, person: User, intent: Intent) -> ApproverConfirmation:
    """Say that somebody is a person of their own, so that their approvals count at once.

    It holds for what they were given so far. Where it counts is decided again with every request:
    not where the one who confirmed takes part, nor where both owe it to the same person.
    Raises Forbidden without ``change_request.approve`` somewhere in the project, and for keys;
    Invalid for oneself, for somebody whom one gave it oneself, and where nothing is to confirm.
    """
    outbox.lock_people(project)
    confirmer = require_approver(intent.actor, project)
    if confirmer.pk == person.pk:
        raise Invalid({"": _("Somebody else who may approve changes has to confirm you.")})
    given = selectors.recent_sponsorships(project).filter(person=person)
    if not given.exists():
        raise Invalid.of(
            "",
            _("There is nothing to confirm: nobody gave {name} anything lately."),
            name=person.username,
        )
    if given.filter(sponsor=confirmer).exists():
        raise Invalid.of(
            "",
            _("You gave {name} the account or a role, so somebody else has to confirm it."),
            name=person.username,
        )
    confirmation = ApproverConfirmation.objects.create(
        project=project, person=person, confirmed_by=confirmer, at=clock.database_now()
    )
    intent.record(
        "approver.confirmed",
        replace(person.recorded_as, project=project.key),
        after={"at": confirmation.at.isoformat()},
    )
    return confirmation


def require_approver(
    actor: Actor, project: Project, environment: Environment | None = None
) -> User:
    """The person who may approve changes there; without an environment, in any of the project.

    Raises Forbidden for everybody else, and for keys.
    """
    user = authority.user_of(actor)
    places = [environment] if environment else list(project.environments.all())
    if user is None or not user.is_active:
        raise Forbidden(Permission.CHANGE_REQUEST_APPROVE)
    held = authority.role_assignments_of(user, project)
    if not any(
        Permission.CHANGE_REQUEST_APPROVE in held.in_environment(place.pk) for place in places
    ):
        raise Forbidden(Permission.CHANGE_REQUEST_APPROVE)
    return user
