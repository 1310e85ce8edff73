"""What a database is made of, to be compared with another: the order of columns says nothing."""

import re
from collections.abc import Callable
from typing import Any

RunSql = Callable[[str], list[tuple[Any, ...]]]

_POSTGRESQL = (
    """SELECT table_name, column_name, data_type, character_maximum_length, is_nullable,
    column_default, is_identity FROM information_schema.columns WHERE table_schema = 'public'""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    """SELECT pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'""",
)
_CASTS = re.compile(r"::(character varying|text)(\[\])?|[()]")
# At commas that are within no brackets but those of the table itself.
_BETWEEN_PARTS = re.compile(r",\s*(?=(?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*$)")


def described(run_sql: RunSql, vendor: str) -> set[tuple[Any, ...]]:
    """Columns, constraints, indexes, triggers and functions, each by what defines it."""
    if vendor == "postgresql":
        rows = [row for statement in _POSTGRESQL for row in run_sql(statement)]
        return {tuple(_without_casts(one) for one in row) for row in rows}
    rows = run_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(name, *_parts(sql)) for name, sql in rows}


def _without_casts(part: Any) -> Any:
    """A condition that was dumped and read again casts the same elsewhere."""
    return _CASTS.sub("", part) if isinstance(part, str) else part


def _parts(sql: str) -> list[str]:
    """Of a table in the order of the alphabet; others are one part."""
    if not sql.startswith("CREATE TABLE"):
        return [sql]
    return sorted(_BETWEEN_PARTS.split(sql.partition("(")[2].rpartition(")")[0]))
