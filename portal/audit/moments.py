"""The trail as of an instant: what had been written by then, and how far back it reaches.

Whoever asks for the past reads which rows there are about a thing from an index alone, and then the
few rows that tell.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db.models import Max

from portal.audit import selectors
from portal.audit.models import AuditEvent

# How far a clock may have been set back: times follow the sequence up to that.
_CLOCK_SLACK: Final = timedelta(hours=6)


class Mark(NamedTuple):
    """Where a row stands and what it is about; its documents are not read yet."""

    sequence: int
    project: str
    environment: str
    event: str


def sequence_at(moment: datetime) -> int:
    """The last row written by then; 0 where there was none.

    Where the clock was set back meanwhile, an instant came twice: then the second is meant.
    """
    rows = AuditEvent.objects.order_by()
    last = rows.filter(at__lte=moment).aggregate(at=Max("at"))["at"]
    if last is None:
        return 0
    near = rows.filter(at__lte=last, at__gte=last - _CLOCK_SLACK)
    return int(near.aggregate(most=Max("sequence"))["most"])


def marks_of(project: str, subject: str) -> list[Mark]:
    """Every row of a project about a subject of that name, oldest first.

    By the name alone, which an index holds all of this for; its event tells the subject's kind.
    """
    rows = AuditEvent.objects.filter(subject=subject).order_by("sequence")
    found = rows.values_list("sequence", "project", "environment", "event")
    return [mark for mark in map(Mark._make, found) if mark.project == project]


def rows_at(sequences: Collection[int]) -> dict[int, AuditEvent]:
    """Rows by their place, documents and all."""
    return AuditEvent.objects.in_bulk(sequences)


def purged_before() -> datetime | None:
    """Rows of before that time were purged; None where none were."""
    purge = selectors.last_purge()
    if purge is None:
        return None
    return datetime.fromisoformat(str((purge.after_document or {})["older_than"]))
