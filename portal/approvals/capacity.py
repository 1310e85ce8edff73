"""Whether enough people can agree to something where a policy holds, and from when on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from portal.access import authority, overview
from portal.access import selectors as access
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals.bonds import bonds_of
from portal.approvals.independence import Ties
from portal.approvals.models import Policy
from portal.approvals.standing import Ballot, Requirement, assess


def too_few(environment: Environment, document: Mapping[str, Any], *, now: datetime) -> str:
    """What is wrong where the people of today cannot satisfy a policy; empty where they can.

    That is if all of them approved what somebody else asks for. Who counts as one with another
    does so from a date on that the sentence names.
    """
    policy = Policy(
        environment=environment,
        required_roles=document["required_roles"],
        independence_days=document["independence_days"],
    )
    wanted = Requirement(document["required_approvals"], frozenset(document["required_roles"]))
    ballots = _ballots(environment)
    ties = _ties(policy, ballots, now)
    count = _count(wanted, ballots, ties)
    if count is None:
        return ""
    text = _("Only {count} of the {wanted} people needed can count here today.")
    first = text.format(count=count, wanted=wanted.approvals)
    if count >= wanted.approvals:
        first = _("The people who can count here today do not cover the roles together.")
    date = _enough_from(wanted, ballots, ties)
    if date is None:
        return f"{first} " + _("Give more people a role that may approve changes here.")
    rest = _("From {date} enough of them can, or once another approver confirms them.")
    return f"{first} {rest.format(date=overview.day(date))}"


def _ballots(environment: Environment) -> list[Ballot]:
    people = list(access.members_of(environment.project).filter(is_active=True))
    held = authority.holdings_of_all(people, environment.project)
    return [
        Ballot(person.pk, held[person.pk].names_in(environment.pk))
        for person in people
        if Permission.CHANGE_REQUEST_APPROVE in held[person.pk].in_environment(environment.pk)
    ]


def _ties(policy: Policy, ballots: list[Ballot], now: datetime) -> Ties:
    """Before there is a policy, whatever people have stands before the first one."""
    environment = policy.environment
    if not Environment.objects.filter(pk=environment.pk, governed_since__isnull=False).exists():
        return Ties()
    people = [one.voter for one in ballots]
    bonds = bonds_of(people, environment.project, [policy], moment=now)
    return bonds.ties(policy, moment=now)


def _count(wanted: Requirement, ballots: list[Ballot], ties: Ties) -> int | None:
    """How many count, where they do not suffice; None where they do."""
    found = assess(wanted, ballots, {}, ties=ties)
    return None if found.is_satisfied else found.approvals


def _enough_from(wanted: Requirement, ballots: list[Ballot], ties: Ties) -> datetime | None:
    """From when on they suffice, as what people were given grows old; None where they never do."""
    for ended in sorted(tie.at for tie in ties.ties):
        left = Ties(tuple(tie for tie in ties.ties if tie.at > ended), ties.window)
        if _count(wanted, ballots, left) is None:
            return ended + ties.window
    return None
