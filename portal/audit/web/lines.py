from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.audit import history
from portal.audit.filters import Filters
from portal.audit.models import AuditEvent
from portal.lib import subjects
from portal.lib.numbers import read_whole
from portal.lib.paging import Page
from portal.lib.web.pages import paging


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event in words. ``permanent`` is the address of its own page, ``request`` that of the
    change request by which it came about, ``whole`` that of what its subject is about."""

    event: AuditEvent
    words: str
    subject: str
    address: str
    changes: list[str]
    permanent: str
    request: str
    whole: str
    can_restore: bool

    @property
    def at(self) -> str:
        """ISO 8601 UTC; Django's own formatting of 50 times takes longer than finding them."""
        return self.event.at.astimezone(UTC).isoformat()

    @property
    def at_words(self) -> str:
        """The same for people without scripts."""
        return f"{self.event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def lines(events: Sequence[AuditEvent], *, site: bool = False) -> list[EventLine]:
    listed = [event for event in events if not event.is_abridged]
    described = dict(
        zip((event.sequence for event in listed), subjects.changes(listed), strict=True)
    )
    too_long = [_("The documents are long: open the record to see what changed.")]
    return [
        EventLine(
            event,
            words=subjects.headline(event.event),
            subject=subjects.label(event.subject_kind),
            address=subjects.address(event),
            changes=described.get(event.sequence, too_long),
            permanent=address_of(event, site=site),
            request=_address(event, "change_request", event.change_request),
            whole=_address(event, event.part_of_kind, event.part_of),
            can_restore=not site and subjects.restored(event) is not None,
        )
        for event in events
    ]


def _address(event: AuditEvent, kind: str, name: object) -> str:
    if not name:
        return ""
    place = {"project": event.project, "environment": event.environment}
    return subjects.address(AuditEvent(subject_kind=kind, subject=str(name), **place))


def pulse(now: datetime) -> str:
    """Another text whenever anything may look different: something was recorded, or time went on.

    Nothing changes without a row of the audit trail; evidence expires and ages grow by the clock.
    """
    last = AuditEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first()
    return f"{last or 0}.{int(now.timestamp()) // 60}"


def history_page(
    request: HttpRequest, filters: Filters, *, site: bool = False
) -> dict[str, object]:
    before, after = (read_whole(request.GET.get(name, "")) for name in ("before", "after"))
    found = history.page(filters, before=before, after=after)
    page = Page(found.events, previous=str(found.later or ""), next=str(found.earlier or ""))
    shown = {"lines": lines(found.events, site=site), "page": page}
    return shown | paging(request, page, forward="before", back="after")


def address_of(event: AuditEvent, *, site: bool) -> str:
    if site:
        return reverse("site-history-event", args=[event.sequence])
    return reverse("history-event", args=[event.project, event.sequence])
