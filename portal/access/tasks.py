"""What the worker does for access."""

from portal.access.models import KeptAnswer
from portal.lib import clock


def forget_answers() -> None:
    """Drop the answers whose Idempotency-Key has run out."""
    KeptAnswer.objects.over(now=clock.now()).delete()
