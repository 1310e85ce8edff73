"""Rows that are added to where they are there, and inserted where they are not: in one statement.

Django's own upsert can only overwrite. SQLite and PostgreSQL understand the same words for this.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model

Row = Mapping[str, Any]


def add_or_insert(
    model: type[Model],
    rows: Iterable[Row],
    *,
    by: Sequence[str],
    adds: Sequence[str] = (),
    latest: Sequence[str] = (),
) -> None:
    """Write rows, given by their fields; ``by`` are the fields of a unique constraint.

    Where a row is there, ``adds`` are added to it and ``latest`` replaced by what is later. Rows
    are written in one order, so that no two writers wait for each other.
    """
    found = sorted(rows, key=lambda row: [str(row[name]) for name in by])
    if not found:
        return
    fields = {field.name: field for field in model._meta.fields if field.name in found[0]}
    columns = {name: _quoted(str(field.column)) for name, field in fields.items()}
    table = _quoted(model._meta.db_table)
    changes = [f"{columns[n]} = {table}.{columns[n]} + excluded.{columns[n]}" for n in adds]
    changes += [_later(table, columns[name]) for name in latest]
    # Names of our own columns only; the values are parameters.
    statement = (
        f"INSERT INTO {table} ({', '.join(columns.values())}) "  # noqa: S608
        f"VALUES ({', '.join(['%s'] * len(columns))}) "
        f"ON CONFLICT ({', '.join(columns[name] for name in by)}) "
        f"DO UPDATE SET {', '.join(changes)}"
    )
    values = [
        [field.get_db_prep_save(row[name], connection) for name, field in fields.items()]
        for row in found
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)


def _later(table: str, column: str) -> str:
    old, new = f"{table}.{column}", f"excluded.{column}"
    return f"{column} = CASE WHEN {new} > {old} THEN {new} ELSE {old} END"


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
