"""Who gave whom what lately, in words."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from portal.access.models import Sponsorship, SponsorshipKind

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
