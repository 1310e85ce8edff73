"""Free text in the audit trail: each database's own index of words, filled as rows are added.

Both find the rows that have every word of a text in the subject or what it is part of, the names of
people, the reason or the event's name, whatever its case; a word of three letters or more may also
begin a longer one there. Neither looks at the rows themselves for it. Who asked for something and
who approved it have no index of their own: their names are looked up as words first.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from django.db import connection
from django.db.models import QuerySet, TextField, Value
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


def narrowed(filters: Filters, lookups: Mapping[str, object]) -> list[QuerySet[AuditEvent]]:
    """The rows that meet ``lookups`` (Django's) and what ``filters`` says of the subject, of who
    approved, and of words; in parts that share none."""
    rows = AuditEvent.objects.order_by()
    if filters.approved_by:
        edge = Value(AND, output_field=TextField())
        name = Value(f"{AND}{filters.approved_by}{AND}", output_field=TextField())
        among = StrIndex(Concat(edge, "approved_by", edge), name)
        rows = rows.alias(approved_at=among).filter(approved_at__gt=0)
    words = [*filters.words, *words_in(f"{filters.requested_by} {filters.approved_by}")]
    parts = [{**lookups, **own} for own in _about(filters)]
    if words and connection.vendor == "sqlite":
        found = [_by_words_first(rows, filters, part) for part in parts]
    else:
        found = [rows.filter(**part) for part in parts]
        if words:
            found = [_with_words(part, words) for part in found]
    if len(found) > 1:
        found[1] = found[1].exclude(**_about(filters)[0])
    return found


def _about(filters: Filters) -> list[dict[str, object]]:
    """What makes it a row of the subject, and what one of what is part of it."""
    kind = {"{}_kind": filters.kind} if filters.kind else {}
    if not filters.subject:
        return [{name.format("subject"): value for name, value in kind.items()}]
    both = {"{}": filters.subject, **kind}
    return [
        {name.format(whose): value for name, value in both.items()}
        for whose in ("subject", "part_of")
    ]


def _with_words(rows: QuerySet[AuditEvent], words: Sequence[str]) -> QuerySet[AuditEvent]:
    """By PostgreSQL's index of words."""
    query = " & ".join(f"{word}:*" if begins_words(word) else word for word in words)
    where = f"{VECTOR} @@ to_tsquery('simple', %s)"
    return rows.extra(where=[where], params=[query])  # noqa: S610 - ours


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
    parts = []
    for name, columns in _SCOPES.items():
        words = [
            f'"{word}"*' if name == "text" and begins_words(word) else f'"{word}"'
            for word in words_in(getattr(filters, name) or "")
        ]
        if words:
            parts.append(f"{{{columns}}} : ({' AND '.join(words)})")
    return " AND ".join(parts)
