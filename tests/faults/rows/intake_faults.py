"""What evaluators send up, while Redis and the worker are away: stored once, or said to be lost."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.faults.harness import Figure, fault
from tests.faults.installation import FLAG, Installation

KEPT_S = 12


def stored() -> list[int]:
    """Questions that are stored, and those that were dropped and said so."""
    from django.db.models import Sum

    from flags.models import FlagUsage, IntakeLoss, LossCause, Period

    usage = FlagUsage.objects.filter(period=Period.DAY)
    lost = IntakeLoss.objects.filter(kind="usage", cause=LossCause.DROPPED)
    return [rows.aggregate(n=Sum("count"))["n"] or 0 for rows in (usage, lost)]


@fault("intake: workers killed, Redis killed, and both for too long", EVALUATOR_INTAKE_SECONDS="12")
def intake_away(place: Installation) -> list[Figure]:
    """The installation has one evaluator, so that its own count is all that was asked."""
    for point in ("intake-before-commit", "intake-after-commit", "after-call"):
        place.fail_at(point, signal.SIGKILL)
        while place.is_armed(point):
            time.sleep(0.1)
    place.redis.kill()
    time.sleep(KEPT_S / 3)
    place.redis.start()
    place.seconds_until(lambda: place.metric("intake_waiting") == 0)
    asked, counted, lost = _balance(place)
    place.start_load(0.02)
    place.redis.kill()
    place.seconds_until(lambda: place.metric('intake_dropped_total.kind="usage') > 0)
    place.redis.start()
    later, counted_later, said = _balance(place)
    return [
        Figure("away for a while: lost", max(asked - counted, 0) + lost, "", 0),
        Figure("away for a while: doubled", max(counted - asked, 0), "", 0),
        Figure("away for too long: dropped and said", said),
        Figure("neither stored nor said, or doubled", abs(later - counted_later - said), "", 0),
        Figure("nothing said", int(said == 0), "", 0),
    ]


def _balance(place: Installation) -> tuple[int, int, int]:
    """What was asked, what is stored, and what is said to be dropped, once these add up."""
    place.load.stop()

    def adds_up() -> bool:
        return bool(sum(place.stack.inside(stored)) >= place.metric("evaluations_total"))

    place.seconds_until(adds_up)
    time.sleep(6)  # another drain, which must not add anything
    counted, said = place.stack.inside(stored)
    return int(place.metric("evaluations_total")), counted, said


def outcomes() -> int:
    """Outcomes that are stored."""
    from django.db.models import Sum

    from releases.telemetry.models import OutcomeBucket

    return OutcomeBucket.objects.aggregate(n=Sum("requests"))["n"] or 0


@fault("telemetry: Redis killed, and the worker stopped, for a while each")
def telemetry_away(place: Installation) -> list[Figure]:
    """Each batch is sent twice, as senders do that heard no answer."""
    before = place.stack.inside(outcomes)
    with telling(place) as accepted:
        time.sleep(1)
        place.redis.kill()
        time.sleep(4)
        place.redis.start()
        time.sleep(1)
        place.signal("celery -A portal.celery --quiet worker", signal.SIGSTOP)
        time.sleep(4)
        place.signal("celery -A portal.celery --quiet worker", signal.SIGCONT)
    stored = 0

    def is_all_there() -> bool:
        nonlocal stored
        stored = place.stack.inside(outcomes) - before
        return bool(stored >= sum(accepted))

    place.seconds_until(is_all_there)
    time.sleep(6)  # another drain, which must not add anything
    is_all_there()
    return [
        Figure("outcomes accepted", sum(accepted)),
        Figure("lost", max(sum(accepted) - stored, 0), "", 0),
        Figure("doubled", max(stored - sum(accepted), 0), "", 0),
    ]


@contextmanager
def telling(place: Installation) -> Iterator[list[int]]:
    """Tells of three outcomes, every batch twice, for as long as it lasts; how many counted."""
    accepted: list[int] = []
    over = threading.Event()
    url = place.stack.evaluator_url + "/api/v1/telemetry"
    headers = {"Authorization": f"Bearer {place.server}"}
    one = {"flag": FLAG, "variant": "on", "count": 3, "duration_ms": 12.5}

    def tell() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            batch = {"batch_id": f"batch-{number}", "outcomes": [one]}
            for _time in range(2):
                answer = httpx.post(url, json=batch, headers=headers, timeout=5)
                accepted.append(3 * answer.json()["accepted"])

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        yield accepted
    finally:
        over.set()
        thread.join()
