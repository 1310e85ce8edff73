from datetime import timedelta

from django.conf import settings

from portal.audit import services
from portal.lib import clock, journal
from portal.lib.journal import Intent
from portal.runs import jobs


@jobs.every(timedelta(seconds=settings.AUDIT_ANCHOR_WEBHOOK_INTERVAL_S))
def anchor_head() -> None:
    services.send_anchor(now=clock.now())


@jobs.every(timedelta(days=1))
def purge() -> None:
    if settings.AUDIT_RETENTION_DAYS:
        services.purge(intent=Intent(journal.system("retention")))
