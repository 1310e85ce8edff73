from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from portal.approvals import handlers, telling
from portal.approvals.models import ChangeRequest, Emergency, State
from portal.lib import clock
from portal.runs.runner import for_each

DAY = timedelta(hours=24)
MOST_REMINDERS = 3


def remind() -> int:
    """Remind once a day: of open requests three times, of emergencies until they are reviewed.

    Any number of workers may do this at once. Returns how many things people were reminded of.
    """
    moment = clock.database_now()
    return _remind_of_requests(moment) + _remind_of_emergencies(moment)


def _remind_of_requests(moment: datetime) -> int:
    waiting = ChangeRequest.objects.filter(
        Q(reminded_at=None) | Q(reminded_at__lte=moment - DAY),
        state=State.OPEN,
        revised_at__lte=moment - DAY,
        revised_at__gt=moment - DAY * (MOST_REMINDERS + 1),
    )
    found = waiting.select_related("project")
    return for_each(found, lambda request: _remind_of(request, moment))


@transaction.atomic
def _remind_of(request: ChangeRequest, moment: datetime) -> bool:
    if handlers.stopped([request]):
        return False
    mine = ChangeRequest.objects.filter(
        pk=request.pk, state=State.OPEN, reminded_at=request.reminded_at
    )
    if mine.update(reminded_at=moment) != 1:
        return False  # decided, or another worker was here
    telling.remind_voters(request, (moment - request.revised_at) // DAY)
    return True


def _remind_of_emergencies(moment: datetime) -> int:
    unreviewed = Emergency.objects.filter(reviewed_at=None, at__lte=moment - DAY)
    found = unreviewed.select_related("request__project")
    return for_each(found, lambda emergency: _remind_of_review(emergency, moment))


@transaction.atomic
def _remind_of_review(emergency: Emergency, moment: datetime) -> bool:
    # Whoever does this twice writes the same letters, which are written once.
    telling.remind_reviewers(emergency, (moment - emergency.at) // DAY)
    return True
