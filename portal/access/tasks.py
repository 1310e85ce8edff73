"""What the worker does for access."""

from celery import shared_task

from portal.access.models import KeptAnswer
from portal.lib import clock


@shared_task(ignore_result=True)
def forget_answers() -> None:
    """Drop the answers whose Idempotency-Key has run out."""
    KeptAnswer.objects.over(now=clock.now()).delete()
