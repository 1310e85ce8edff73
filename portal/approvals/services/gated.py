"""Running a write through the gate: it happens, or a change request is opened and says so."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import transaction

from portal.approvals.errors import ApprovalRequired, Waiting
from portal.approvals.services import requests

P = ParamSpec("P")
R = TypeVar("R")


def gated(write: Callable[P, R]) -> Callable[P, R]:
    """Run ``write`` in a transaction of its own.

    Where a policy wants others to agree first, nothing of it is kept; the change is filed as a
    request and Waiting raised, which says where. That is so for every caller: pages, the API,
    commands and imports.
    """

    @wraps(write)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with transaction.atomic():
                return write(*args, **kwargs)
        except ApprovalRequired as needed:
            if needed.intent.options.dry:
                raise
            raise Waiting(requests.file_request(needed)) from None

    return attempt
