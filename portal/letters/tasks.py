"""What the worker does for letters. The database says what is due."""

from celery import shared_task

from portal.letters import services
from portal.lib import clock


@shared_task(ignore_result=True)
def send_letters() -> None:
    """Send what is due."""
    services.send_due(now=clock.now())


@shared_task(ignore_result=True)
def forget_old_letters() -> None:
    """Delete letters that nobody will ask for any more."""
    services.forget_old_letters(now=clock.now())
