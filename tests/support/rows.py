"""Everything that the product keeps, to be compared before and after; and taking it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, transaction

_OURS = ("access", "approvals", "audit", "flags", "letters", "reports", "runs")
# When a key was last used is noted by asking alone.
_NOTES = {"last_used_at"}


def everything_kept() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the product's own tables, but for notes of when something was last used.

    As they are stored: making objects of them takes twenty times as long.
    """
    with connection.cursor() as cursor:
        found = {}
        for label, query in _queries().items():
            cursor.execute(query)
            found[label] = cursor.fetchall()
    return found


@cache
def _queries() -> dict[str, str]:
    """By model; those that only connect two others are among them."""
    quote = connection.ops.quote_name
    queries = {}
    for app in _OURS:
        for model in apps.get_app_config(app).get_models(include_auto_created=True):
            meta: Any = model._meta
            fields = (field for field in meta.concrete_fields if field.name not in _NOTES)
            columns = ", ".join(quote(field.column) for field in fields)
            table, first = quote(meta.db_table), quote(meta.pk.column)
            queries[meta.label] = f"SELECT {columns} FROM {table} ORDER BY {first}"
    return queries


@contextmanager
def rolled_back() -> Iterator[None]:
    """Whatever somebody changes in here is undone, so that the next one finds the same."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
