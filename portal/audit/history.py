"""Reading the history: pages of it, counts, neighbours, and what there is to choose from.

Pages are cut by sequence and not by number: a row added meanwhile shifts nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Max, Min, QuerySet
from django.db.models.functions import Length

from portal.audit import exporting, search
from portal.audit.filters import Filters
from portal.audit.models import AuditEvent, SeenName
from portal.audit.search import bounded, in_order

PAGE_SIZE: Final = 50
COUNT_CAP: Final = 10_000
WORDS_COUNT_CAP: Final = 1_000  # each row found by words is looked up, all over the trail
# What a list reads of one row's documents; the page of the row shows all of them.
MAX_LISTED_CHARS: Final = 64_000
_CHUNK: Final = 500
# How far a clock may have been set back: times follow the sequence up to that.
_CLOCK_SLACK: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, newest first. ``earlier`` and ``later`` are sequences to go on from, or None."""

    events: list[AuditEvent]
    earlier: int | None
    later: int | None


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Matching:
    """Rows that match, in parts that do not overlap: each is found by an index of its own."""

    parts: Sequence[QuerySet[AuditEvent]]

    def bounded(self, comparison: str, sequence: int) -> "Matching":
        """Those before or after a place; ``comparison`` as in Django's lookups."""
        return Matching([bounded(part, comparison, sequence) for part in self.parts])

    def first(self, order: str, limit: int, *columns: str) -> list[tuple[Any, ...]]:
        """The first in order of ``sequence`` or ``-sequence``; columns after the sequence."""
        found: list[tuple[Any, ...]] = []
        for part in self.parts:
            found += in_order(part, order).values_list("sequence", *columns)[:limit]
        found.sort(key=lambda row: row[0], reverse=order.startswith("-"))
        return found[:limit]

    def count(self, most: int | None = None) -> int:
        return sum(part.values("sequence")[:most].count() for part in self.parts)


def matching(filters: Filters) -> Matching:
    exact = ("environment", "actor", "event", "request_id")
    lookups: dict[str, object] = {
        name: getattr(filters, name) for name in exact if getattr(filters, name)
    }
    if filters.project is not None:
        lookups["project"] = filters.project
    if filters.environments:
        lookups["environment__in"] = filters.environments
    try:
        lookups |= _within(filters.since, filters.until)
    except _NothingThen:
        return Matching([])
    return Matching(search.narrowed(filters, lookups))


def matching_up_to(filters: Filters, sequence: int) -> Matching:
    return matching(filters).bounded("lte", sequence)


def page(
    filters: Filters,
    *,
    before: int | None = None,
    after: int | None = None,
    size: int = PAGE_SIZE,
) -> Page:
    rows = matching(filters)
    if after is not None and before is None:
        found = _sequences(rows.bounded("gt", after), "sequence", limit=size + 1)
        if len(found) > size:
            shown = found[size - 1 :: -1]
            return Page(_loaded(shown), earlier=shown[-1], later=shown[0])
        # Arrived at the newest: a whole page of them.
    elif before is not None:
        rows = rows.bounded("lt", before)
    found = _sequences(rows, "-sequence", limit=size + 1)
    shown = found[:size]
    return Page(
        _loaded(shown),
        earlier=shown[-1] if len(found) > size else None,
        later=(shown[0] if shown else before - 1) if before is not None else None,
    )


def whole(events: list[AuditEvent]) -> list[AuditEvent]:
    abridged = [event.sequence for event in events if event.is_abridged]
    if not abridged:
        return events
    found = AuditEvent.objects.in_bulk(abridged)
    return [found.get(event.sequence, event) for event in events]


def count(filters: Filters, *, cap: int | None = None) -> Count:
    cap = cap or (WORDS_COUNT_CAP if filters.text else COUNT_CAP)
    found = matching(filters).count(cap + 1)
    return Count(min(found, cap), found <= cap)


def newest_sequence() -> int:
    return AuditEvent.objects.aggregate(last=Max("sequence"))["last"] or 0


def iterate(filters: Filters, *, up_to: int) -> Iterator[tuple[object, ...]]:
    """Every matching row up to a sequence, oldest first: the values of exporting.COLUMNS.

    In constant memory: reads a few hundred rows at a time, and no transaction stays open.
    """
    last, rows = 0, matching_up_to(filters, up_to)
    while True:
        chunk = rows.bounded("gt", last).first("sequence", _CHUNK, *exporting.COLUMNS[1:])
        yield from chunk
        if len(chunk) < _CHUNK:
            return
        last = chunk[-1][0]


def find(project: str | None, sequence: int) -> AuditEvent:
    """One row. Raises AuditEvent.DoesNotExist where the project has none of that number."""
    rows = AuditEvent.objects.filter(sequence=sequence)
    return rows.get() if project is None else rows.get(project=project)


def neighbours(event: AuditEvent) -> tuple[int | None, int | None]:
    """The rows before and after this one that are about the same subject, or part of it."""
    about = Filters(project=event.project, subject=event.subject, kind=event.subject_kind)
    same, place = matching(about), event.sequence
    earlier = _sequences(same.bounded("lt", place), "-sequence", 1)
    later = _sequences(same.bounded("gt", place), "sequence", 1)
    return next(iter(earlier), None), next(iter(later), None)


def choices(project: str | None) -> dict[str, list[str]]:
    """The environments, actors and events that have been seen; of all projects for None."""
    seen = SeenName.objects.all() if project is None else SeenName.objects.filter(project=project)
    found: dict[str, set[str]] = {"environment": set(), "actor": set(), "event": set()}
    for field, name in seen.values_list("field", "name").distinct():
        found.setdefault(field, set()).add(name)
    return {field: sorted(names, key=str.lower) for field, names in found.items()}


def projects() -> list[str]:
    """Every project that something has happened in; empty text where it happened in none."""
    return sorted(SeenName.objects.values_list("project", flat=True).distinct())


class _NothingThen(Exception):
    """The trail has no row in the period."""


def _within(since: datetime | None, until: datetime | None) -> dict[str, object]:
    """What makes it the rows of a period: their times, and bounds of the sequence, which spare
    looking at the rest. Raises _NothingThen.

    The row with the first time in the period need not be the first in sequence, where the clock
    was set back: one up to _CLOCK_SLACK later may come before it.
    """
    rows, found = AuditEvent.objects.order_by(), dict[str, object]()
    if since:
        first = rows.filter(at__gte=since).aggregate(at=Min("at"))["at"]
        if first is None:
            raise _NothingThen
        near = rows.filter(at__gte=first, at__lte=first + _CLOCK_SLACK)
        least = near.aggregate(least=Min("sequence"))["least"]
        found |= {"at__gte": since, "sequence__gte": least}
    if until:
        last = rows.filter(at__lt=until).aggregate(at=Max("at"))["at"]
        if last is None:
            raise _NothingThen
        near = rows.filter(at__lte=last, at__gte=last - _CLOCK_SLACK)
        most = near.aggregate(most=Max("sequence"))["most"]
        found |= {"at__lt": until, "sequence__lte": most}
    return found


def _sequences(rows: Matching, order: str, limit: int) -> list[int]:
    return [row[0] for row in rows.first(order, limit)]


def _loaded(sequences: list[int]) -> list[AuditEvent]:
    """The rows, newest first. Documents too long for a list are left out: see ``is_abridged``."""
    rows = AuditEvent.objects.filter(sequence__in=sequences).defer("before", "after")
    short = AuditEvent.objects.filter(sequence__in=sequences).annotate(
        chars=Length("before") + Length("after")
    )
    documents = {
        sequence: (before, after)
        for sequence, before, after in short.filter(chars__lte=MAX_LISTED_CHARS).values_list(
            "sequence", "before", "after"
        )
    }
    events = list(rows.order_by("-sequence"))
    for event in events:
        event.is_abridged = event.sequence not in documents
        event.before, event.after = documents.get(event.sequence, ("", ""))
    return events
