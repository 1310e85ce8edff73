"""What the worker does for the audit trail."""

from celery import shared_task
from django.conf import settings

from portal.audit import services
from portal.lib import clock, journal


@shared_task(ignore_result=True)
def anchor_head() -> None:
    """Note the chain's head outside the database."""
    services.anchor_head(now=clock.now())


@shared_task(ignore_result=True)
def purge() -> None:
    """Let go of what is older than the retention says, where one is set."""
    if settings.AUDIT_RETENTION_DAYS:
        services.purge(actor=journal.system("retention"), now=clock.database_now())
