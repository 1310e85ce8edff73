"""Approved requests that a freeze holds up: they are applied once it is over.

Nobody is at their screen then, so nobody is said to have done it: the actor is the end of the
freeze. Who agreed stands in the row all the same, the author must still be someone who may want
it, and the votes are counted anew by the roles of that moment.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from portal.access import outbox
from portal.approvals.errors import Frozen
from portal.approvals.freezes import freezes_in_force
from portal.approvals.models import ChangeRequest, State
from portal.approvals.services import applying
from portal.approvals.services.requests import lock_request
from portal.lib import journal
from portal.lib.journal import Intent
from portal.runs.runner import Runner

END_OF_FREEZE = journal.system("end of freeze")


@transaction.atomic
def hold_request(*, request: ChangeRequest, frozen: Frozen, intent: Intent) -> ChangeRequest:
    """Remember that a request would have been applied now, had there been no freeze."""
    locked = lock_request(request.project, request.pk)
    if locked.is_open:
        locked.held_at, locked.problem = intent.at, str(frozen)
        locked.save(update_fields=["held_at", "problem"])
        intent.record("change_request.held", locked, after=frozen.extras)
    return locked


def apply_waiting() -> int:
    """Apply the requests whose freeze is over; returns how many those were."""
    return HeldRequestRunner().look()


class HeldRequestRunner(Runner[ChangeRequest]):
    """What a freeze held up. One that cannot be applied any more says why in the history, and
    waits for people again."""

    holding = (Frozen,)

    def due(self, at: datetime) -> QuerySet[ChangeRequest]:
        held = ChangeRequest.objects.exclude(held_at=None)
        return held.filter(state=State.OPEN, apply_when_approved=True).order_by("pk")

    def find(self, at: datetime) -> list[ChangeRequest]:
        found = self.free(at).select_related("project").prefetch_related("environments")
        return [one for one in found if not freezes_in_force(one.environments.all(), at)]

    def lock(self, seen: ChangeRequest) -> ChangeRequest:
        outbox.lock_people(seen.project)
        return lock_request(seen.project, seen.pk)

    def carry_out(self, work: ChangeRequest, at: datetime, answer: object) -> None:
        applying.apply_as_asked(request=work, intent=Intent(END_OF_FREEZE, at=at))

    def stop(self, work: ChangeRequest, why: str, at: datetime, cause: Exception) -> None:
        work.clear()
        work.save()
        Intent(END_OF_FREEZE, why, at=at).record("change_request.not_applied", work)
