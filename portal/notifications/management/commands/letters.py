from typing import Any

from portal.lib.commands import ManageCommand
from portal.lib.logs import escape
from portal.notifications.models import Letter

MOST = 50


class Command(ManageCommand):
    help = "List the letters that wait to be sent, and those that were given up."

    def handle(self, *args: Any, **options: Any) -> None:
        waiting = Letter.objects.waiting()
        given_up = Letter.objects.exclude(given_up_at=None)
        self.stdout.write(f"waiting: {waiting.count()}, given up: {given_up.count()}")
        for letter in (waiting | given_up).select_related("user").order_by("-pk")[:MOST]:
            state = "given up" if letter.given_up_at else "waiting"
            line = (
                f"{letter.pk} {state} to {letter.user.username}, {letter.failures} attempts, "
                f"{letter.problem or 'no trouble yet'}: {letter.subject}"
            )
            self.stdout.write(escape(line))
