from portal.access.models import KeptAnswer
from portal.lib import clock


def forget_answers() -> None:
    KeptAnswer.objects.over(now=clock.now()).delete()
