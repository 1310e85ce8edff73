"""Approved requests that a freeze holds up: they are applied once it is over.

Nobody is at their screen then, so nobody is said to have done it: the actor is the end of the
freeze. Who agreed stands in the row all the same, the author must still be someone who may want
it, and the votes are counted anew by the roles of that moment.
"""

from django.db import transaction

from portal.approvals.errors import Closed, Frozen
from portal.approvals.freezes import freezes_in_force
from portal.approvals.models import ChangeRequest, State
from portal.approvals.services import applying
from portal.approvals.services.requests import lock_request
from portal.lib import clock, journal
from portal.lib.errors import AviaryError
from portal.lib.intent import Intent

END_OF_FREEZE = journal.system("end of freeze")


@transaction.atomic
def hold_request(*, request: ChangeRequest, frozen: Frozen, intent: Intent) -> ChangeRequest:
    """Remember that a request would have been applied now, had there been no freeze."""
    locked = lock_request(request.project, request.pk)
    if locked.is_open:
        locked.held_at = intent.at
        locked.save(update_fields=["held_at"])
        intent.record("change_request.held", locked, after=frozen.extras)
    return locked


def apply_waiting() -> int:
    """Apply the requests whose freeze is over; returns how many were looked at.

    Any number of workers may do this at once: each request is applied under its lock, once. One
    that cannot be applied any more says why in the history and waits for people again.
    """
    held = ChangeRequest.objects.filter(
        state=State.OPEN, apply_when_approved=True, held_at__isnull=False
    )
    waiting = list(held.select_related("project").prefetch_related("environments").order_by("pk"))
    for request in waiting:
        if not freezes_in_force(request.environments.all(), clock.database_now()):
            _apply(request)
    return len(waiting)


def _apply(request: ChangeRequest) -> None:
    try:
        applying.apply_as_asked(request=request, intent=Intent(END_OF_FREEZE))
    except (Closed, Frozen):
        return  # somebody was quicker, or the next freeze has begun
    except AviaryError as error:
        _give_up(request, str(error))


@transaction.atomic
def _give_up(request: ChangeRequest, why: str) -> None:
    locked = lock_request(request.project, request.pk)
    if locked.is_open and locked.held_at is not None:
        locked.held_at = None
        locked.save(update_fields=["held_at"])
        Intent(END_OF_FREEZE, why).record("change_request.not_applied", locked)
