from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.db.models import Max, QuerySet

from portal.access.models import Project
from portal.audit import chain
from portal.audit.chain import Fault, Place, Row
from portal.audit.models import AuditEvent, ChainHead

# More rows than fit into a processor's cache make it slower.
_PAGE = 1000
_TABLE = AuditEvent._meta.db_table
_LAST = 2**63 - 1
# How each database writes the canonical row, and those of its texts that are no texts in it.
_WHOLE = "COALESCE(CAST({} AS TEXT), '')"
_NUMBERS = {name: _WHOLE.format(name) for name in ("version", "change_request")}
_CANONICAL = {
    "sqlite": (
        "json_array({})",
        {
            "sequence": "CAST(sequence AS TEXT)",
            "at": """substr("at", 1, 10) || 'T' || substr("at", 12) || '+00:00'""",
            **_NUMBERS,
        },
    ),
    "postgresql": (
        "array_to_json(ARRAY[{}])::text",
        {
            "sequence": "sequence::text",
            "at": """to_char("at" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""",
            **_NUMBERS,
        },
    ),
}


def rows(*, after: int, up_to: int = _LAST) -> Iterator[Row]:
    """Rows in order of sequence, in constant memory.

    Each page is a query of its own: no transaction stays open for the length of a walk, and no
    statement runs into its time limit. Rows do not change, so the pages fit together. A page is a
    range and not a LIMIT, which PostgreSQL, knowing nothing of a young table, reads in full.
    """
    while True:
        page = _page(after, min(after + _PAGE, up_to))
        yield from page
        after = int(page[-1][0]) if page else after
        if len(page) < _PAGE:
            following = _between(after, up_to).values_list("sequence", flat=True).first()
            if following is None:
                return
            after = following - 1


def _between(after: int, up_to: int) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(sequence__gt=after, sequence__lte=up_to).order_by("sequence")


def exactly(sequence: int) -> bytes:
    """A row's canonical bytes through Django's fields; empty when they cannot be read at all."""
    try:
        values = AuditEvent.objects.values_list(*chain.FIELDS).get(pk=sequence)
        return chain.canonical(values)
    except (AuditEvent.DoesNotExist, DatabaseError, TypeError, ValueError, ValidationError):
        return b""


def _page(after: int, up_to: int) -> list[Row]:
    try:
        return _read(after, up_to)
    except DatabaseError:
        if connection.vendor != "sqlite":
            raise
    # SQLite keeps what nobody can read (bytes for a text): then one by one.
    sequences = _between(after, up_to).values_list("sequence", flat=True)
    return [_readable(sequence) for sequence in sequences]


def _readable(sequence: int) -> Row:
    with suppress(DatabaseError):
        for row in _read(sequence - 1, sequence):
            return row
    links = AuditEvent.objects.filter(pk=sequence).values_list("previous_hash", "hash")
    with suppress(DatabaseError):
        for previous_hash, own_hash in links:
            return (str(sequence), "", previous_hash, own_hash)
    return (str(sequence), "", "", "")


def _read(after: int, up_to: int) -> list[Row]:
    form, as_text = _CANONICAL[connection.vendor]
    fields = [as_text.get(name, f'"{name}"') for name in chain.FIELDS]
    first, later = fields[: -len(chain.LATER_FIELDS)], fields[-len(chain.LATER_FIELDS) :]
    content = (
        f"CASE WHEN {' || '.join(later)} = '' THEN {form.format(', '.join(first))}"
        f" ELSE {form.format(', '.join(fields))} END"
    )
    query = (
        f"SELECT {as_text['sequence']}, {content}, previous_hash, hash"  # noqa: S608
        f" FROM {_TABLE} WHERE sequence > %s AND sequence <= %s"
        # By the column and not by its text, which PostgreSQL calls the same.
        f" ORDER BY {_TABLE}.sequence"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [after, up_to])
        found: list[Row] = cursor.fetchall()
    return found


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
        content = exactly(event.sequence)
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
        rows(after=start.sequence),
        key=settings.AUDIT_KEY,
        anchors=heads | dict(anchors),
        start=start,
        exactly=exactly,
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
