"""What the worker does for approvals. The database says what is due."""

from datetime import timedelta

from portal.approvals import services
from portal.runs import jobs, worker


@worker.look()
def revert_due_emergencies() -> None:
    """Take back emergency changes whose time has run out."""
    services.revert_due()


@worker.look()
def apply_waiting() -> None:
    """Apply approved change requests that a freeze held up, once it is over."""
    services.apply_waiting()


@jobs.every(timedelta(minutes=10))
def remind() -> None:
    """Remind people of requests and reviews that wait for them."""
    services.remind()
