"""``manage.py auditpublickey``: what auditors check the signature of an export with."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.audit import sealing


class Command(BaseCommand):
    help = "Print the Ed25519 public key that exports of the audit trail are signed with."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(sealing.public_key(settings.AUDIT_KEY))
