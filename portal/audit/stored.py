"""The rows as the database has them, as they were hashed: fast, page by page.

The database writes the canonical rows itself: turning its values into objects and back takes
several times as long as checking them. What it writes is only ever believed where the hash agrees
with it; otherwise :func:`exactly` looks at the row once more, the slow way.
"""

from collections.abc import Iterator
from contextlib import suppress

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.db.models import QuerySet

from portal.audit import chain
from portal.audit.chain import Row
from portal.audit.models import AuditEvent

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
