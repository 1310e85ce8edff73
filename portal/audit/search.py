"""Free text in the audit trail: each database's own index of words, filled as rows are added.

Both find the rows that have every word of a text in the subject, the actor, the reason or the
event's name, whatever its case; a word of three letters or more may also begin a longer one there.
Neither looks at the rows themselves for it.
"""

from collections.abc import Mapping
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from portal.audit.filters import Filters
from portal.audit.models import AuditEvent

# The same expression as that of the index; see the migration.
VECTOR: Final = (
    "to_tsvector('simple', regexp_replace("
    "audit_auditevent.subject || ' ' || audit_auditevent.actor || ' ' || "
    "left(audit_auditevent.reason, 20000) || ' ' || audit_auditevent.event, "
    "'[^[:alnum:]]+', ' ', 'g'))"
)
_COMPARISONS: Final = {"": "=", "exact": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_LARGEST: Final = 2**63 - 1
_SCOPES: Final = ("project", "environment", "event", "actor", "subject")


def narrowed(filters: Filters, lookups: Mapping[str, object]) -> QuerySet[AuditEvent]:
    """The rows that meet ``lookups`` (Django's) and have all the words of ``filters.text``."""
    rows = AuditEvent.objects.order_by()
    if not filters.words:
        return rows.filter(**lookups)
    if connection.vendor == "sqlite":
        return _by_words_first(rows, filters, lookups)
    query = " & ".join(f"{word}:*" if begins_words(word) else word for word in filters.words)
    where = f"{VECTOR} @@ to_tsquery('simple', %s)"
    return rows.filter(**lookups).extra(where=[where], params=[query])  # noqa: S610 - ours


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
    words = " AND ".join(
        f'"{word}"*' if begins_words(word) else f'"{word}"' for word in filters.words
    )
    parts = [f"{{subject actor reason event}} : ({words})"]
    for name in _SCOPES:
        tokens = [f'"{token}"' for token in Filters(text=getattr(filters, name) or "").words]
        if tokens:
            parts.append(f"{name} : ({' AND '.join(tokens)})")
    return " AND ".join(parts)
