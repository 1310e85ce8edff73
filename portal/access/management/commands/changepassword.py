"""``manage.py changepassword``: a new random password for someone who lost theirs, recorded.

Stands in for Django's command of the same name, which would leave no trace.
"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.access import services
from portal.access.models import User
from portal.access.tokens import new_password
from portal.lib.commands import ManageCommand, operator
from portal.lib.journal import Intent


class Command(ManageCommand):
    help = "Give someone a new random password and print it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['username']}")
        password = new_password()
        services.change_password(
            user=user, password=password, intent=Intent(operator("changepassword"))
        )
        self.stdout.write(password)
