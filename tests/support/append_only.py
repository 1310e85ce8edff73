"""Getting past the triggers that keep the audit trail append-only. Nothing in the product can."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.db import connection
from django.db.models.signals import post_migrate
from django.test import TransactionTestCase


@contextmanager
def lifted() -> Iterator[None]:
    """No trigger of the database fires in here."""
    around = {"sqlite": _without_triggers, "postgresql": _as_a_replica}[connection.vendor]
    with around():
        yield


def let_flush_pass() -> None:
    """Tests that commit are cleaned up after by emptying every table: let that happen.

    Django's own permissions are not made anew each time: nobody has any of them here.
    """
    original = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def empty_tables(self: TransactionTestCase) -> None:
        with lifted(), mock.patch.object(post_migrate, "receivers", []):
            original(self)

    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[attr-defined]


@contextmanager
def _without_triggers() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = cursor.fetchall()
        for name, _sql in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for _name, sql in triggers:
                cursor.execute(sql)


@contextmanager
def _as_a_replica() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET session_replication_role")
