"""Who gave whom what lately, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.access import authority, selectors
from portal.access.models import (
    ApproverConfirmation,
    Project,
    Sponsorship,
    SponsorshipKind,
    User,
)
from portal.access.overview.roles import names_of
from portal.access.permissions import Permission

_GAVE = {
    SponsorshipKind.ACCOUNT: gettext_noop("{giver} created the account of {person} on {date}"),
    SponsorshipKind.INVITATION: gettext_noop("{giver} invited {person} on {date}"),
    SponsorshipKind.ACTIVATION: gettext_noop("{giver} reactivated {person} on {date}"),
    SponsorshipKind.ROLE: gettext_noop("{giver} gave {person} the role {name} on {date}"),
    SponsorshipKind.GROUP: gettext_noop("{giver} added {person} to the group {name} on {date}"),
    SponsorshipKind.PASSWORD: gettext_noop("{giver} reset the password of {person} on {date}"),
    SponsorshipKind.SECOND_FACTOR: gettext_noop(
        "{giver} reset the second factor of {person} on {date}"
    ),
}


def sponsorship_words(row: Sponsorship, names: Mapping[str, str]) -> str:
    """Such as “alice gave bob the role senior developer on 12 Nov 2026”; ``names`` by key."""
    return _(_GAVE[SponsorshipKind(row.kind)]).format(
        giver=row.sponsor.username,
        person=row.person.username,
        name=names.get(row.name, row.name),
        date=day(row.at),
    )


def day(moment: datetime) -> str:
    """A day in UTC, as sentences name it."""
    return date_format(moment.astimezone(UTC), "j M Y")


@dataclass(slots=True)
class Sponsored:
    """What a member who may approve was given lately, and who confirmed them since.

    ``by_reader`` is whether the reader is that member, or gave them something of it.
    """

    sentences: list[str] = field(default_factory=list)
    confirmed_by: list[str] = field(default_factory=list)
    by_reader: bool = False


def sponsored_members(project: Project, reader: User) -> dict[int, Sponsored]:
    """Those who may approve somewhere and were given something lately, by their ids."""
    rows = list(selectors.recent_sponsorships(project))
    voting = _who_may_approve({row.person for row in rows}, project)
    names, found, latest = names_of(project), dict[int, Sponsored](), dict[int, datetime]()
    for row in rows:
        if row.person_id in voting:
            one = found.setdefault(row.person_id, Sponsored(by_reader=row.person_id == reader.pk))
            one.sentences.append(sponsorship_words(row, names))
            one.by_reader = one.by_reader or row.sponsor_id == reader.pk
            latest[row.person_id] = row.at
    words = ApproverConfirmation.objects.filter(project=project, person__in=found)
    for word in words.select_related("confirmed_by"):
        if word.at >= latest[word.person_id]:
            found[word.person_id].confirmed_by.append(word.confirmed_by.username)
    return found


def _who_may_approve(people: Iterable[User], project: Project) -> set[int]:
    places = list(project.environments.values_list("pk", flat=True))
    held = authority.holdings_of_all(people, project)
    return {
        pk
        for pk, one in held.items()
        if any(Permission.CHANGE_REQUEST_APPROVE in one.in_environment(place) for place in places)
    }
