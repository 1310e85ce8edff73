from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from portal.audit import services
from portal.lib import clock
from portal.lib.commands import ManageCommand


class Command(ManageCommand):
    help = "Note the head of the audit trail's chain outside the database."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            anchor = services.anchor_head(now=clock.now())
        except OSError as error:
            raise CommandError(
                f"cannot write {settings.AUDIT_ANCHOR_FILE}: {error.strerror}"
            ) from None
        if anchor:
            self.stdout.write(anchor.line(settings.AUDIT_KEY).decode())
        else:
            self.stdout.write("nothing new since the last anchor")
