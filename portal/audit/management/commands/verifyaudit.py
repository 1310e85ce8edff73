"""``manage.py verifyaudit``: exit 0 when the audit trail's chain holds, 1 where it does not."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from portal.audit import selectors
from portal.audit.models import AuditEvent


class Command(BaseCommand):
    help = "Check every link of the audit trail; names the first row that does not hold."

    def handle(self, *args: Any, **options: Any) -> None:
        fault = selectors.chain_fault()
        if fault:
            self.stderr.write(f"row {fault.sequence}: {fault.problem}")
            sys.exit(1)
        self.stdout.write(f"the chain holds: {AuditEvent.objects.count()} rows")
