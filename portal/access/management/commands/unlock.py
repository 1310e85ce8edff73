"""``manage.py unlock``: forget someone's failed attempts to sign in, recorded."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from portal.access.models import User
from portal.access.signin import throttle
from portal.lib.commands import ManageCommand, operator


class Command(ManageCommand):
    help = "Let someone who was locked out try again at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is no user {options['username']}")
        throttle.unlock(user=user, actor=operator("unlock"))
        self.stdout.write(f"{user.username} may try again")
