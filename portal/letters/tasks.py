"""What the worker does for letters. The database says what is due."""

from datetime import timedelta

from portal.letters import services
from portal.runs import jobs, worker


@worker.look(lane="letters")
def send_letters() -> None:
    """Send what is due."""
    services.send_due()


@jobs.every(timedelta(days=1))
def forget_old_letters() -> None:
    """Delete letters that nobody will ask for any more."""
    services.forget_old_letters()
