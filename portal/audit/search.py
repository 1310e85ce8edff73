"""Free text in the audit trail: each database's own index of words, filled as rows are added.

Both find the rows that have every word of a text in the subject or what it is part of, the names of
people, the reason or the event's name, whatever its case; a word of three letters or more may also
begin a longer one there. Neither looks at the rows themselves for it. Who asked for something and
who approved it have no index of their own: their names are looked up as words first.
"""

import re
from collections.abc import Iterator, Mapping
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
# The words of a name or text, made by the same expression; longer ones may begin like those of it.
_NAMED: Final = "plainto_tsquery('simple', regexp_replace(%s, '[^[:alnum:]]+', ' ', 'g'))"
_BEGUN: Final = f"regexp_replace({_NAMED}::text, $$'([^' ]{{3,}})'$$, $$'\\1':*$$, 'g')::tsquery"
# What certainly parts two words, and how one certainly begins, to SQLite.
_BETWEEN: Final = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")
_BEGINNING: Final = re.compile(r"[0-9A-Za-z]*")
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
    asked and approved, and of words; in parts that do not overlap."""
    rows = AuditEvent.objects.order_by()
    edge = Value(AND, output_field=TextField())
    for field in ("requested_by", "approved_by"):
        if value := getattr(filters, field):
            name = Value(f"{AND}{value}{AND}", output_field=TextField())
            among = StrIndex(Concat(edge, field, edge, output_field=TextField()), name)
            rows = rows.alias(**{f"{field}_at": among}).filter(**{f"{field}_at__gt": 0})
    is_searched = bool(filters.text or filters.requested_by or filters.approved_by)
    words = _match(filters) if is_searched and connection.vendor == "sqlite" else ""
    parts = [{**lookups, **own} for own in _about(filters)]
    if words:
        found = [_by_words_first(rows, words, part) for part in parts]
    else:
        found = [rows.filter(**part) for part in parts]
        if is_searched and connection.vendor == "postgresql":
            found = [_with_words(part, filters) for part in found]
    if len(found) > 1:
        found[1] = found[1].exclude(**_about(filters)[0])
    return found


def _about(filters: Filters) -> list[dict[str, object]]:
    kind = {"{}_kind": filters.kind} if filters.kind else {}
    if not filters.subject:
        return [{name.format("subject"): value for name, value in kind.items()}]
    both = {"{}": filters.subject, **kind}
    return [
        {name.format(whose): value for name, value in both.items()}
        for whose in ("subject", "part_of")
    ]


def _with_words(rows: QuerySet[AuditEvent], filters: Filters) -> QuerySet[AuditEvent]:
    """By PostgreSQL's index of words; a name of which it has none is looked for without it."""
    if filters.text:
        rows = rows.extra(where=[f"{VECTOR} @@ {_BEGUN}"], params=[filters.text])  # noqa: S610 - ours
    if names := f"{filters.requested_by} {filters.approved_by}".strip():
        where = f"(numnode({_NAMED}) = 0 OR {VECTOR} @@ {_NAMED})"
        rows = rows.extra(where=[where], params=[names, names])  # noqa: S610 - ours
    return rows


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
    rows: QuerySet[AuditEvent], words: str, lookups: Mapping[str, object]
) -> QuerySet[AuditEvent]:
    """SQLite's planner thinks a search for words cheap to repeat for each row of the trail, which
    takes minutes. The plus signs keep the trail's own indexes out of its sight."""
    rows = rows.extra(
        tables=["audit_search"],
        where=["audit_search MATCH %s", "audit_auditevent.sequence = audit_search.rowid"],
        params=[words],
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
    """An FTS5 query. Of the other filters it takes what its index knows as well: a search
    for a common word by a rare person then reads the rows of neither in full. What it finds is a
    superset there, which the other filters narrow down exactly."""
    parts = []
    for name, columns in _SCOPES.items():
        value = getattr(filters, name) or ""
        words = map(_begun, words_in(value)) if name == "text" else _certain(value)
        if found := " AND ".join(words):
            parts.append(f"{{{columns}}} : ({found})")
    return " AND ".join(parts)


def _begun(word: str) -> str:
    """Longer words that begin so are meant as well: too many begin with two letters."""
    return f'"{word}"*' if len(word) > 2 else f'"{word}"'


def _certain(name: str) -> Iterator[str]:
    """The words of a name, or how they begin where SQLite may take more for a part of them."""
    for part in _BETWEEN.split(name):
        beginning = _BEGINNING.match(part)
        if words_in(part) == [part] and part.isalnum():
            yield f'"{part}"'
        elif beginning and beginning[0]:
            yield f'"{beginning[0]}"*'
