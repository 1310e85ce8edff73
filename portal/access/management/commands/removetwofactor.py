"""``manage.py removetwofactor``: for someone who lost their phone and their codes, recorded."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.access.models import User
from portal.access.signin import people
from portal.lib.commands import ManageCommand, operator


class Command(ManageCommand):
    help = "Let someone sign in with their password alone, until they enrol again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['username']}")
        people.remove_two_factor(user=user, actor=operator("removetwofactor"))
        self.stdout.write(f"{user.username} signs in without a second factor")
