"""What most tests set up, worked out once: its statements are kept, and run again in other tests.

Making a shop takes 50 ms, nearly all of it Python; running its statements takes 3. Each test still
begins with nothing and has rows of its own. The statements fit only where all that was written
before them in the test were other remembered steps, in the same order: ids and the audit chain are
the same then. Everywhere else, and where changes are committed, the step is done as usual.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

from portal.lib import clock

T = TypeVar("T")

# Rows say when they were made. None is older than this when a test begins.
_KEPT_FOR_S = 120.0
_READS = ("SELECT", "BEGIN", "SAVEPOINT", "RELEASE", "PRAGMA", "SET CONSTRAINTS")
_USUAL = (clock.now, clock.database_now, settings._wrapped)


@dataclass
class _Step:
    """What a step wrote, and what it returned."""

    statements: list[tuple[str, Any, bool]] = field(default_factory=list)
    result: Any = None
    # How many statements there were before each savepoint.
    savepoints: dict[str, int] = field(default_factory=dict)


@dataclass
class _Memory:
    steps: dict[tuple[str, ...], _Step] = field(default_factory=dict)
    since: float = 0.0
    # The steps of this test so far; None as soon as it has written anything else.
    done: tuple[str, ...] | None = None
    # Where statements go while a step is done for the first time.
    first: _Step | None = None
    numbering: str = ""


_memory = _Memory()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Every test begins with an empty database."""
    if _watch not in connection.execute_wrappers:
        connection.execute_wrappers.append(_watch)
    if time.monotonic() - _memory.since > _KEPT_FOR_S:
        _memory.steps.clear()
        _memory.since = time.monotonic()
    _memory.done = ()


def remembered(step: str, make: Callable[[], T]) -> T:
    """Do the step, or write what it wrote when it was first done after the same others.

    ``step`` names it with everything that it depends on. What ``make`` returns is kept for other
    tests: an id, not a row, which a test may change.
    """
    before = _memory.done
    if before is None or _memory.first is not None or not _as_usual():
        return make()
    if not before:
        _start_numbering()
    known = _memory.steps.get((*before, step))
    if known:
        _write(known)
    else:
        known = _for_the_first_time(make)
        if _memory.done is None:
            return known.result  # type: ignore[no-any-return]
        _memory.steps[*before, step] = known
    _memory.done = (*before, step)
    return known.result  # type: ignore[no-any-return]


def _as_usual() -> bool:
    return (
        connection.in_atomic_block
        and (
            clock.now,
            clock.database_now,
            settings._wrapped,
        )
        == _USUAL
    )


def _start_numbering() -> None:
    """Let ids begin at 1, as they did when the first step was done."""
    with connection.cursor() as cursor:
        if not _memory.numbering:
            _memory.numbering = _begin_at_one(cursor)
        cursor.execute(_memory.numbering)
    _memory.done = ()


def _begin_at_one(cursor: CursorWrapper) -> str:
    """The statement; only for tables without rows, as the others never have any in a test."""
    if connection.vendor == "sqlite":
        return "UPDATE sqlite_sequence SET seq = 0"
    found = []
    for row in connection.introspection.sequence_list():
        table, column = row["table"], row["column"] or "id"
        cursor.execute(f'SELECT 1 FROM "{table}" LIMIT 1')
        if not cursor.fetchone():
            found.append(f"setval(pg_get_serial_sequence('\"{table}\"', '{column}'), 1, false)")
    return f"SELECT {', '.join(found)}"


def _for_the_first_time(make: Callable[[], Any]) -> _Step:
    found = _memory.first = _Step()
    try:
        found.result = make()
    except BaseException:
        _memory.done = None
        raise
    finally:
        _memory.first = None
    return found


def _write(step: _Step) -> None:
    with connection.cursor() as cursor:
        for sql, parameters, many in step.statements:
            (cursor.executemany if many else cursor.execute)(sql, parameters)


def _watch(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
    step = _memory.first
    if step and sql.startswith("SAVEPOINT "):
        step.savepoints[sql.removeprefix("SAVEPOINT ")] = len(step.statements)
    elif not (sql.startswith(_READS) or (step and _keep(step, sql, parameters, many))):
        _memory.done = None
    return execute(sql, parameters, many, context)


def _keep(step: _Step, sql: str, parameters: Any, many: bool) -> bool:
    """Whether it can be done again. What is taken back takes its ids back only on SQLite."""
    if not sql.startswith("ROLLBACK"):
        step.statements.append((sql.partition(" RETURNING ")[0], parameters, many))
        return True
    before = step.savepoints.get(sql.removeprefix("ROLLBACK TO SAVEPOINT "))
    if before is None or connection.vendor != "sqlite":
        return False
    del step.statements[before:]
    return True
