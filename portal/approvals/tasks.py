from datetime import timedelta

from portal.approvals import services
from portal.runs import jobs


@jobs.look()
def revert_due_emergencies() -> None:
    services.revert_due()


@jobs.look()
def apply_waiting() -> None:
    services.apply_waiting()


@jobs.every(timedelta(minutes=10))
def remind() -> None:
    services.remind()
