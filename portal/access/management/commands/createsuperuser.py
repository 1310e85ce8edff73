"""``manage.py createsuperuser``: one more site administrator, recorded.

Stands in for Django's command of the same name, which would leave no trace.
"""

from typing import Any

from django.core.management.base import CommandParser

from portal.access import services
from portal.access.tokens import new_password
from portal.lib.commands import ManageCommand, failure, operator
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent


class Command(ManageCommand):
    help = "Create a site administrator with a random password and print it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        password = new_password()
        try:
            services.create_user(
                username=options["username"],
                password=password,
                intent=Intent(operator("createsuperuser")),
                is_superuser=True,
            )
        except AviaryError as error:
            raise failure(error) from None
        self.stdout.write(password)
