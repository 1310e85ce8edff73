from portal.access.management.people import PersonCommand
from portal.access.models import User
from portal.access.signin import people
from portal.lib.commands import operator


class Command(PersonCommand):
    help = "Let someone sign in with their password alone, until they enrol again."

    def treat(self, user: User) -> str:
        people.remove_two_factor(user=user, actor=operator("removetwofactor"))
        return f"{user.username} signs in without a second factor"
