from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.access.models import User
from portal.lib.commands import ManageCommand


class PersonCommand(ManageCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['username']}")
        self.stdout.write(self.treat(user))

    def treat(self, user: User) -> str:
        """Do it; what to say of it."""
        raise NotImplementedError
