"""What was read under a lock, for as long as the lock is held: nobody else can change it then."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction


class _Held(threading.local):
    name: object = None
    mark: Callable[[], None] | None = None
    depth: tuple[str, ...] = ()
    found: dict[Any, Any]


_held = _Held()


def begin(name: object) -> None:
    """The lock is taken now: what is read of ``name`` from here on stays until it is let go.

    Django forgets what waits for the commit wherever the lock ends: with the transaction, and with
    the savepoint that it was taken in. So a mark among that says whether it is still held.
    """
    _held.name, _held.found = name, {}
    _held.depth = tuple(connection.savepoint_ids)
    _held.mark = lambda: None
    transaction.on_commit(_held.mark)


def forget(**_signal: Any) -> None:
    """Who holds the lock has changed something: until it is taken again, all is read anew."""
    _held.mark = None


def kept(name: object) -> dict[Any, Any]:
    """Where to look and to keep; an empty place each time where no lock of that name is held."""
    here = tuple(connection.savepoint_ids)[: len(_held.depth)]
    waiting = (one[1] for one in connection.run_on_commit)
    if _held.mark is None or name != _held.name or here != _held.depth or _held.mark not in waiting:
        return {}
    return _held.found
