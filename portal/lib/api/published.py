"""Whether what a write changed is live: ``published`` in its answer.

Evaluators are above this package: the package that knows where changes have come registers here
when Django starts, and notes what was changed.
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # every process notes what it changed, and few of them have an API
    from rest_framework.response import Response

FIELD: Final = "published"
IsLive = Callable[[set[int]], bool]
_is_live: IsLive | None = None
_changed: ContextVar[set[int] | None] = ContextVar("changed", default=None)


def register(is_live: IsLive) -> None:
    global _is_live
    _is_live = is_live


def start() -> None:
    _changed.set(set())


def note_changed(environment_ids: Iterable[int], **_signal: Any) -> None:
    changed = _changed.get()
    if changed is not None:
        changed.update(environment_ids)


def ignore_in(document: Any) -> None:
    """Who sends an answer back, changed, need not take it out."""
    if isinstance(document, dict):
        document.pop(FIELD, None)


def add_to(response: "Response") -> None:
    changed = _changed.get()
    if _is_live and changed and isinstance(response.data, dict) and response.status_code < 300:
        response.data = {**response.data, FIELD: _is_live(changed)}
