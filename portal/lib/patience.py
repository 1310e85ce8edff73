"""How long a request waits for a database that others have locked: one time for all it does.

SQLite and PostgreSQL limit the waits one by one, and a request has many: it would answer after as
many times that. Here every wait shortens the next. Statements that merely take long are not cut.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)
Handler = Callable[[HttpRequest], HttpResponse]

_TRACE_S = 0.2
# Statements that are done sooner have waited for nobody.
_AT_ONCE_S = 0.1
# SQLite has one who writes at a time, and a wait of less than 0.1 s looks every 25 ms.
_TURN_S = 0.03
# Where nothing is left: a busy database is not a locked one, and a wait in vain ends there.
_LEAST_S = 0.25


class _Patience:
    """What is left of a request's time to wait."""

    def __init__(self, wait_s: float) -> None:
        self.usual_s = self.left_s = self.most_s = wait_s
        self.changed = False

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        """Run a statement that waits no longer than is left; as Django's execute_wrapper."""
        limit_s = min(max(_LEAST_S, self.left_s), self.most_s)
        if limit_s < self.usual_s or self.changed:
            self.changed = True
            set_limit(limit_s)
        started = monotonic()
        try:
            return execute(sql, params, many, context)
        finally:
            took_s = monotonic() - started
            if took_s > _AT_ONCE_S and _may_wait(str(sql)):
                self.left_s = max(0.0, self.left_s - took_s)

    def end_trace(self) -> None:
        """Let what follows wait as before: said once, not again with every statement."""
        self.most_s = self.usual_s
        if self.changed and self.left_s == self.usual_s:
            set_limit(self.usual_s)
            self.changed = False


_current: ContextVar[_Patience | None] = ContextVar("patience", default=None)


def shared_patience(get_response: Handler) -> Handler:
    """Middleware: everything that one request does waits DATABASE_WAIT_S in all."""

    def middleware(request: HttpRequest) -> HttpResponse:
        patience = _Patience(settings.DATABASE_WAIT_S)
        token = _current.set(patience)
        try:
            with connection.execute_wrapper(patience):
                return get_response(request)
        finally:
            _current.reset(token)
            if patience.changed:  # the connection serves other requests after this one
                set_limit(patience.usual_s)

    return middleware


@contextmanager
def only_a_trace(what: str) -> Iterator[None]:
    """For a note like "last seen": left out, and logged, where the database keeps it waiting."""
    patience = _current.get()
    if patience:
        patience.most_s = _TRACE_S
    try:
        yield
    except DatabaseError as error:
        logger.warning("%s was not kept: %s", what, type(error).__name__)
    finally:
        if patience:
            patience.end_trace()


def set_limit(limit_s: float) -> None:
    """How long a statement of this thread's connection waits for a lock from now on."""
    raw, milliseconds = connection.connection, int(limit_s * 1000)
    if raw is None:
        return
    # A transaction that has failed takes no statement any more, and waits for nobody.
    with suppress(DatabaseError), connection.wrap_database_errors:
        if connection.vendor == "sqlite":
            raw.execute(f"PRAGMA busy_timeout = {milliseconds}")
        else:
            raw.execute(f"SET lock_timeout = {milliseconds}")


def _may_wait(sql: str) -> bool:
    """Readers of SQLite wait for nobody; those of PostgreSQL for a change of the tables."""
    return connection.vendor != "sqlite" or not sql.startswith("SELECT")


def let_others_write() -> None:
    """Between two transactions of one piece of work, so that nobody has to wait for all of it."""
    if connection.vendor == "sqlite":
        sleep(_TURN_S)
