from typing import Any

from django.conf import settings

from portal.audit import sealing
from portal.lib.commands import ManageCommand


class Command(ManageCommand):
    help = "Print the Ed25519 public key that exports of the audit trail are signed with."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(sealing.public_key(settings.AUDIT_KEY))
