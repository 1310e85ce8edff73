"""What evaluators send up, while Redis and the worker are away: stored once, or said to be lost."""

import signal
import time

from tests.faults.harness import Figure, fault
from tests.faults.installation import Installation

KEPT_S = 12


def stored() -> list[int]:
    """Questions that are stored, and those that were dropped and said so."""
    from django.db.models import Sum

    from flags.models import FlagUsage, IntakeLoss, LossCause, Period

    usage = FlagUsage.objects.filter(period=Period.DAY)
    lost = IntakeLoss.objects.filter(kind="usage", cause=LossCause.DROPPED)
    return [rows.aggregate(n=Sum("count"))["n"] or 0 for rows in (usage, lost)]


def _asked(place: Installation) -> float:
    return place.metric("evaluations_total")


def _balance(place: Installation) -> list[int]:
    """What is stored and what is said to be dropped, once that is all that was asked."""
    place.load.stop()
    place.seconds_until(lambda: sum(place.stack.inside(stored)) >= _asked(place))
    time.sleep(6)  # another drain, which must not add anything
    counted, lost = place.stack.inside(stored)
    return [counted, lost]


@fault("intake: workers killed, Redis killed, and both for too long", EVALUATOR_INTAKE_SECONDS="12")
def intake_away(place: Installation) -> list[Figure]:
    """The evaluator is the installation's only one, so that its own count is all that was asked."""
    for point in ("intake-before-commit", "intake-after-commit", "after-call"):
        place.fail_at(point, signal.SIGKILL)
        place.seconds_until(lambda at=point: not place.is_armed(at))
    place.redis.kill()
    time.sleep(KEPT_S / 3)
    place.redis.start()
    place.seconds_until(lambda: place.metric("intake_waiting") == 0)
    counted, lost = _balance(place)
    asked = _asked(place)
    place.start_load(0.02)
    place.redis.kill()
    place.seconds_until(lambda: place.metric("intake_dropped_total") > 0)
    place.redis.start()
    dropped = sum(_balance(place)) - _asked(place), place.stack.inside(stored)[1]
    return [
        Figure("evaluations", asked),
        Figure("away for a while: lost", max(asked - counted, 0) + lost, "", 0),
        Figure("away for a while: doubled", max(counted - asked, 0), "", 0),
        Figure("away for too long: dropped and said", dropped[1]),
        Figure("away for too long: neither stored nor said, or doubled", abs(dropped[0]), "", 0),
        Figure("nothing said", int(dropped[1] == 0), "", 0),
    ]
