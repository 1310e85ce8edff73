from portal.access.management.people import PersonCommand
from portal.access.models import User
from portal.access.signin import throttle
from portal.lib.commands import operator


class Command(PersonCommand):
    help = "Let someone who was locked out try again at once."

    def treat(self, user: User) -> str:
        throttle.unlock(user=user, actor=operator("unlock"))
        return f"{user.username} may try again"
