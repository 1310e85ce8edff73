"""Why two people count as one, in sentences: who gave whom what, and until when it matters."""

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from portal.access import overview
from portal.approvals import selectors
from portal.approvals.bonds import Bonds, bonds_of
from portal.approvals.independence import Ties
from portal.approvals.models import ChangeRequest
from portal.approvals.selectors import Assessment
from portal.approvals.wording import listed


def why_not_counted(found: Assessment, person: int) -> str:
    """Why the approval of somebody does not count with those of the others; empty where it does."""
    others = [*found.askers, *(found.standing.counted - {person})]
    return why_one(found.bonds, found.ties, person, others)


def why_one(bonds: Bonds, ties: Ties, person: int, others: Iterable[int]) -> str:
    """Why somebody counts as one with one of some others, until when, and what to do."""
    same = [other for other in others if ties.are_one(person, other)]
    if not same:
        return ""
    path = ties.why_one(person, same[0])
    if not path:  # they asked for it themselves
        return ""
    rows = {row.pk: row for row in map(bonds.row, path)}.values()
    names = overview.names_of(bonds.project)
    receivers = [row.person for row in rows]
    confirm = next((one for one in receivers if one.pk == person), receivers[-1])
    ends = [end for end in (ties.two_from(person, other) for other in same) if end]
    text = _("{why}. Counts from {date}, or once another approver confirms {person}.")
    return text.format(
        why=listed(overview.sponsorship_words(row, names) for row in rows),
        date=overview.day(max(ends)),
        person=confirm.username,
    )


def of_two(one: int | None, other: int, request: ChangeRequest, *, now: datetime) -> str:
    """Why two people count as one where a request is decided; empty where they are two."""
    if one is None:
        return ""
    places = list(request.environments.all())
    policies = list(selectors.policies_of(places).values())
    bonds = bonds_of({one, other}, request.project, policies, moment=now)
    for policy in policies:
        ties = bonds.ties(policy, moment=now, outside={one, other})
        why = why_one(bonds, ties, other, [one])
        if why:
            return _("Somebody else has to do this: {why}").format(why=why)
    return ""
