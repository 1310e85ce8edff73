"""Several people at the very same time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, connections

Result = TypeVar("Result")


def run(*actions: Callable[[], Result]) -> list[Result | Exception]:
    """Start all actions at one instant, each in a thread with database connections of its own.

    Returns what each returned, or the exception it raised, in the order of the actions.
    """
    start = threading.Barrier(len(actions), timeout=60)

    def act(action: Callable[[], Result]) -> Result | Exception:
        try:
            _wait_long_for_locks()
            start.wait()
            return action()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=len(actions)) as pool:
        return list(pool.map(act, actions))


def _wait_long_for_locks() -> None:
    """What is shown is that one comes after the other, on however slow a machine."""
    statement = {"postgresql": "SET lock_timeout = '120s'", "sqlite": "PRAGMA busy_timeout=120000"}
    with connection.cursor() as cursor:
        cursor.execute(statement[connection.vendor])
