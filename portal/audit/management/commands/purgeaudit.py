from typing import Any

from portal.audit import services
from portal.lib.commands import ManageCommand, failure, operator
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent


class Command(ManageCommand):
    help = "Delete audit rows older than AUDIT_RETENTION_DAYS; the chain goes on verifying."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            gone = services.purge(intent=Intent(operator("purgeaudit")))
        except AviaryError as error:
            raise failure(error) from None
        self.stdout.write(f"{gone} rows purged")
