from datetime import timedelta

from portal.notifications import services
from portal.runs import jobs

# Tasks and rows of jobs keep the names of before: brokers and databases have them.
_BEFORE = "portal.letters.tasks"


@jobs.look(lane="letters", name=f"{_BEFORE}.send_letters")
def send_letters() -> None:
    services.send_due()


@jobs.every(timedelta(days=1), name=f"{_BEFORE}.forget_old_letters")
def forget_old_letters() -> None:
    services.forget_old_letters()
