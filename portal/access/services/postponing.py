"""Changes of rights that somebody above has to agree to first."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import transaction

from portal.access.signals import Postponed

P = ParamSpec("P")
R = TypeVar("R")


def postponable(write: Callable[P, R]) -> Callable[P, R]:
    """Run ``write`` in a transaction of its own.

    Where a receiver of its signals raises Postponed, nothing of it is kept; then it is filed, and
    what filing it returns is raised: it says where the change waits.
    """

    @wraps(write)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return write(*args, **kwargs)
        except Postponed as postponed:
            raise postponed.file() from None

    return attempt
