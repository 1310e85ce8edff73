"""Free text in the audit trail: each database's own index of words, filled as rows are added.

Both find the rows that have every word of a text in the subject or what it is part of, the names of
people, the reason or the event's name, whatever its case; a word of three letters or more may also
begin a longer one there. Neither looks at the rows themselves for it. Who asked for something and
who approved it have no index of their own: their names are looked up as words first.
"""

from collections.abc import Mapping
from typing import Final

from django.db import connection
from django.db.models import QuerySet, Value
from django.db.models.functions import Concat, StrIndex

from portal.audit.filters import Filters, words_in
from portal.audit.models import AND, AuditEvent

# The same expression as that of the index; see the migration.
VECTOR: Final = (
    "to_tsvector('simple', regexp_replace("
    "audit_auditevent.subject || ' ' || audit_auditevent.actor || ' ' || "
    "left(audit_auditevent.reason, 20000) || ' ' || audit_auditevent.event || ' ' || "
    "audit_auditevent.requested_by || ' ' || audit_auditevent.approved_by || ' ' || "
    "audit_auditevent.part_of, '[^[:alnum:]]+', ' ', 'g'))"
)
_COMPARISONS: Final = {"": "=", "exact": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_LARGEST: Final = 2**63 - 1
# The columns of SQLite's index of words, by the filter whose words stand in them.
_SCOPES: Final = {
    "text": "subject actor reason event requested_by approved_by part_of",
    "project": "project",
    "environment": "environment",
    "event": "event",
    "actor": "actor",
    "subject": "subject part_of",
    "requested_by": "requested_by",
    "approved_by": "approved_by",
}


def narrowed(filters: Filters, lookups: Mapping[str, object]) -> QuerySet[AuditEvent]:
    """The rows that meet ``lookups`` (Django's) and what ``filters`` says of the subject, of who
    approved, and of words."""
    rows = AuditEvent.objects.order_by()
    if filters.approved_by:
        name = Value(f"{AND}{filters.approved_by}{AND}")
        among = StrIndex(Concat(Value(AND), "approved_by", Value(AND)), name)
        rows = rows.alias(approved_at=among).filter(approved_at__gt=0)
    words = [*filters.words, *words_in(f"{filters.requested_by} {filters.approved_by}")]
    if words and connection.vendor == "sqlite":
        return _by_words_first(rows, filters, lookups)
    rows = _about(rows.filter(**lookups), filters)
    if not words:
        return rows
    query = " & ".join(f"{word}:*" if begins_words(word) else word for word in words)
    where = f"{VECTOR} @@ to_tsquery('simple', %s)"
    return rows.extra(where=[where], params=[query])  # noqa: S610 - ours


def _about(
    rows: QuerySet[AuditEvent], filters: Filters, column: str = "audit_auditevent.{}"
) -> QuerySet[AuditEvent]:
    """Those whose subject is the one of the filters, or is part of it."""
    wanted = {"": filters.subject, "_kind": filters.kind}
    given = {suffix: value for suffix, value in wanted.items() if value}
    if not given:
        return rows
    either = " OR ".join(
        " AND ".join(f"{column.format(name + suffix)} = %s" for suffix in given)
        for name in ("subject", "part_of")
    )
    params = [*given.values(), *given.values()]
    return rows.extra(where=[either], params=params)  # noqa: S610 - ours


def begins_words(word: str) -> bool:
    """Whether longer words that begin so are meant as well: too many begin with two letters."""
    return len(word) > 2


def bounded(rows: QuerySet[AuditEvent], comparison: str, sequence: int) -> QuerySet[AuditEvent]:
    """The rows before or after a place; ``comparison`` as in Django's lookups."""
    if not _reads_words_first(rows):
        return rows.filter(**{f"sequence__{comparison}": sequence})
    where = f"audit_search.rowid {_COMPARISONS[comparison]} %s"
    return rows.extra(where=[where], params=[min(sequence, _LARGEST)])  # noqa: S610 - ours


def in_order(rows: QuerySet[AuditEvent], order: str) -> QuerySet[AuditEvent]:
    """In order of ``sequence`` or ``-sequence``, which SQLite's index of words calls its rowid."""
    if _reads_words_first(rows):
        return rows.extra(order_by=[order.replace("sequence", "audit_search.rowid")])
    return rows.order_by(order)


def _reads_words_first(rows: QuerySet[AuditEvent]) -> bool:
    return "audit_search" in rows.query.extra_tables


def _by_words_first(
    rows: QuerySet[AuditEvent], filters: Filters, lookups: Mapping[str, object]
) -> QuerySet[AuditEvent]:
    """SQLite's planner thinks a search for words cheap to repeat for each row of the trail, which
    takes minutes. The plus signs keep the trail's own indexes out of its sight."""
    rows = rows.extra(
        tables=["audit_search"],
        where=["audit_search MATCH %s", "audit_auditevent.sequence = audit_search.rowid"],
        params=[_match(filters)],
    )
    rows = _about(rows, filters, "+audit_auditevent.{}")
    for lookup, value in lookups.items():
        column, _separator, comparison = lookup.partition("__")
        if column == "sequence":
            rows = bounded(rows, comparison, int(str(value)))
            continue
        if comparison == "in":
            names = list(value) if isinstance(value, tuple) else [value]
            where = f"+audit_auditevent.{column} IN ({', '.join(['%s'] * len(names))})"
            rows = rows.extra(where=[where], params=names)  # noqa: S610 - ours
            continue
        stored = AuditEvent._meta.get_field(column).get_db_prep_value(value, connection)  # type: ignore[union-attr]
        where = f"+audit_auditevent.{column} {_COMPARISONS[comparison]} %s"
        rows = rows.extra(where=[where], params=[stored])  # noqa: S610 - ours
    return rows


def _match(filters: Filters) -> str:
    """An FTS5 query. Of the other filters it takes what its index knows as well: whoever looks
    for a common word by a rare person then reads the rows of neither in full. What it finds is a
    superset there, which the other filters narrow down exactly."""
    parts = []
    for name, columns in _SCOPES.items():
        words = [
            f'"{word}"*' if name == "text" and begins_words(word) else f'"{word}"'
            for word in words_in(getattr(filters, name) or "")
        ]
        if words:
            parts.append(f"{{{columns}}} : ({' AND '.join(words)})")
    return " AND ".join(parts)
