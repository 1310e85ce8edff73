"""``manage.py changepassword``: a new random password for someone who lost theirs, recorded.

Stands in for Django's command of the same name, which would leave no trace.
"""

from portal.access import services
from portal.access.management.people import PersonCommand
from portal.access.models import User
from portal.access.tokens import new_password
from portal.lib.commands import operator
from portal.lib.journal import Intent


class Command(PersonCommand):
    help = "Give someone a new random password and print it."

    def treat(self, user: User) -> str:
        password = new_password()
        services.change_password(
            user=user, password=password, intent=Intent(operator("changepassword"))
        )
        return password
