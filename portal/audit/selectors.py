from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.conf import settings
from django.db.models import Max, QuerySet

from portal.access.models import Project
from portal.audit import chain, stored
from portal.audit.chain import Fault, Place
from portal.audit.models import AuditEvent, ChainHead

# What the event says that a purge leaves behind.
PURGED = "audit.purged"
TRAIL_KIND = "audit_trail"
TRAIL = "audit trail"
# The sources (see states) whose last states were kept by this purge and by all before it.
STATES_KEPT = "states_kept"


def events_of(project: Project, *, subject_kind: str, subject: str) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(
        project=project.key, subject_kind=subject_kind, subject=subject
    )


def chain_fault(anchors: Mapping[int, str] | None = None) -> Fault | None:
    """Walk the whole chain in constant memory, without holding up writers; None when it holds.

    ``anchors`` (sequence -> hash) come from outside the database; those of rows that have been
    purged since cannot be checked.
    """
    while True:
        start = start_of_chain()
        fault = _fault_from(start, anchors or {})
        # A purge meanwhile takes rows away under our feet: then once more.
        if fault is None or start == start_of_chain():
            return fault


def start_of_chain() -> Place:
    """The last purged row, or the chain's origin."""
    purge = last_purge()
    if purge is None:
        return chain.ORIGIN
    after = purge.after_document or {}
    return Place(int(str(after["last_sequence"])), str(after["last_hash"]))


def last_purge() -> AuditEvent | None:
    """The event of the last purge; None where nothing was purged.

    Nobody without the key can write the event that says so; one that somebody made up is passed
    over here, and found by the walk.
    """
    for event in _purges().iterator(chunk_size=100):
        content = stored.exactly(event.sequence)
        if chain.link(settings.AUDIT_KEY, event.previous_hash, content) == event.hash:
            return event
    return None


def told_of() -> frozenset[str] | None:
    """The sources of which each document has a row that speaks of it; None for all of them.

    A purge by a version that did not know of a source kept nothing of it; an early one did not
    say of which it did.
    """
    purge = last_purge()
    if purge is None:
        return None
    kept = (purge.after_document or {}).get(STATES_KEPT)
    return frozenset(kept if isinstance(kept, list) else ())


def _purges() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(
        project="", subject_kind=TRAIL_KIND, subject=TRAIL, event=PURGED
    ).order_by("-sequence")


def _fault_from(start: Place, anchors: Mapping[int, str]) -> Fault | None:
    below = AuditEvent.objects.filter(sequence__lte=start.sequence).order_by("sequence").first()
    if below:
        return Fault(below.sequence, f"stands where rows up to {start.sequence} were purged")
    head = ChainHead.objects.filter(pk=1).first()
    heads = {head.sequence: head.hash} if head else {}
    fault = chain.first_fault(
        stored.rows(after=start.sequence),
        key=settings.AUDIT_KEY,
        anchors=heads | dict(anchors),
        start=start,
        exactly=stored.exactly,
    )
    if fault is None and head and anchors.get(head.sequence, head.hash) != head.hash:
        return Fault(head.sequence, chain.ANOTHER_ROW)
    return fault


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
    return AuditEvent.objects.in_bulk(sequences)


def purged_before() -> datetime | None:
    """Rows of before that time were purged; None where none were."""
    purge = last_purge()
    if purge is None:
        return None
    return datetime.fromisoformat(str((purge.after_document or {})["older_than"]))
