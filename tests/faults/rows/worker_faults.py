"""Workers die, beat is away, or somebody wrote to the broker: what is due comes, and once."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from celery import Celery

from tests.faults import due_releases, due_work
from tests.faults.harness import Figure, fault
from tests.faults.installation import ENVIRONMENT, PROJECT, Installation
from tests.support.http_server import Request, answering, serving

PLACE = f"/api/v1/projects/{PROJECT}/environments/{ENVIRONMENT}"
EVERYBODY = {
    "id": "everybody",
    "when": {"attribute": "country", "operator": "exists"},
    "audience": {"percent": 1},
    "serve": {"variant": "on"},
}


def _ramped(place: Installation, key: str) -> float:
    """How long it takes until the first step of a ramp, due at once, is done."""
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    flag = {"key": key, "kind": "release", "value_type": "boolean", "variants": variants}
    assert place.api("POST", f"/api/v1/projects/{PROJECT}/flags", json=flag).status_code == 201
    address = f"{PLACE}/flags/{key}"
    read = place.api("GET", address)
    document = read.json() | {"rules": [EVERYBODY], "enabled": True}
    document = {name: one for name, one in document.items() if name not in _TOLD}
    saved = place.api("PUT", address, json=document, headers={"If-Match": read.headers["etag"]})
    assert saved.status_code == 200, saved.text
    steps = [{"percent": 50, "after_s": 0}, {"percent": 60, "after_s": 86_400}]
    ramp = {"flag": key, "target": {"part": "audience", "rule": "everybody"}, "steps": steps}
    made = place.api("POST", f"{PLACE}/ramps", json=ramp)
    assert made.status_code == 201, made.text
    return place.seconds_until(
        lambda: place.api("GET", made.headers["location"]).json()["steps_done"] == 1
    )


_TOLD = ("flag", "version", "updated_at", "updated_by")


@fault("no beat, and the broker's keys of wrong types", in_ci=True)
def no_beat(place: Installation) -> list[Figure]:
    place.signal("celery -A portal.celery --quiet beat", signal.SIGSTOP)
    began = datetime.now(UTC)
    without_s = _ramped(place, f"no-beat-{began:%H%M%S}")
    with place.redis.client() as client:
        for name in ("celery", "_kombu.binding.celery", "unacked", "unacked_index"):
            client.delete(name)
            client.set(name, "x")
    wrong_s = _ramped(place, f"no-broker-{began:%H%M%S}")
    place.signal("celery -A portal.celery --quiet beat", signal.SIGCONT)
    place.mark_writes()
    return [
        Figure("due work done without beat after", without_s, "s", 10),
        Figure("and without a broker that works after", wrong_s, "s", 10),
    ]


# In the code that all due work shares; the last but one is before Redis hears of a commit.
POINTS = (
    "before-claim",
    "after-claim",
    "after-call",
    "before-commit",
    "before-publish",
    "after-commit",
)
RELEASE_POINTS = (*POINTS, "before-measuring", "after-measuring", "before-router", "after-router")
_WORKER = "celery -A portal.celery --quiet worker"


@fault("20 SIGKILLs of workers over ramps and schedules", in_ci=True)
def few_killed_workers(place: Installation) -> list[Figure]:
    # So many ramps that none has to be waited for until its lease has run out.
    return _killing(place, due_work, 20, runs=16, more=10, breath_s=math.inf)


@fault("200 SIGKILLs of workers over ramps and schedules")
def killed_workers(place: Installation) -> list[Figure]:
    return _killing(place, due_work, 200, runs=4, more=100, breath_s=3)


@fault("10 SIGKILLs of workers over releases", in_ci=True)
def few_killed_releases(place: Installation) -> list[Figure]:
    return _killing_releases(place, 10, runs=8, breath_s=math.inf)


@fault("200 SIGKILLs of workers over releases")
def killed_releases(place: Installation) -> list[Figure]:
    return _killing_releases(place, 200, runs=4, breath_s=3)


def _killing_releases(
    place: Installation, kills: int, *, runs: int, breath_s: float
) -> list[Figure]:
    """Releases of flags, and one that a router far away is told of, which counts what it hears."""
    far_end = FarEnd()
    with serving(answering(far_end.answer)) as server:
        found = _killing(place, due_releases, kills, runs=runs, more=server.port, breath_s=breath_s)
    told = sum(map(len, far_end.seen.values()))
    order = Figure("out of order at the far end", far_end.out_of_order, "", 0)
    return [*found, Figure("calls at the far end", told), order]


class FarEnd:
    """A router behind a webhook. A call may come again; what it wants may not be of before."""

    def __init__(self) -> None:
        self.seen: dict[str, list[tuple[int, int, float]]] = {}

    def answer(self, request: Request) -> bytes:
        call = json.loads(request.body)
        number, step, _attempt = call["execution"].split(".")[:3]
        if call["action"] != "poll":
            self.seen.setdefault(number, []).append((int(step), call["fence"], call["share"]))
        last = self.seen.get(number, [(0, 0, 0.0)])[-1]
        return json.dumps({"share": last[2]}).encode()

    @property
    def out_of_order(self) -> int:
        """Steps of one release that came after a later one, or without the one before."""
        found = 0
        for calls in self.seen.values():
            steps = [step for step, _fence, _share in calls]
            found += sum(later - one not in (0, 1) for one, later in pairwise(steps))
        return found


def _killing(
    place: Installation, work: ModuleType, kills: int, *, runs: int, more: int, breath_s: float
) -> list[Figure]:
    """Of five, four die where the code says, two at a time, and the fifth wherever it is; of every
    fiftieth not one process dies, but the whole worker."""
    dice, longest_s = random.Random(kills), 0.0
    place.stack.inside(work.plan, ramps=runs, schedules=more)
    for number in range(5, kills + 1, 5):
        for _pair in range(2):
            points = dice.sample(RELEASE_POINTS if work is due_releases else POINTS, 2)
            longest_s = max(longest_s, _kill_at(place, work, points, breath_s=breath_s))
        _kill_one(place, dice, whole=number % 50 == 0)
    steps = place.stack.inside(work.steps)
    place.seconds_until(lambda: place.stack.inside(work.went_on, since=steps))
    found = place.stack.inside(work.end)
    place.mark_writes()
    return [
        Figure("steps", found.pop("steps")),
        *(Figure(name, count, "", 0) for name, count in found.items()),
        Figure("after a death one waited at most", longest_s, "s", 15),
    ]


def _kill_at(place: Installation, work: ModuleType, points: list[str], *, breath_s: float) -> float:
    """Let the next process die that comes to each, until nothing that nobody has in hand waits for
    longer than ``breath_s``; returns how long a plan waited after a death."""
    for point in points:
        place.fail_at(point, signal.SIGKILL)
    longest_s, armed, died_at = [0.0], set(points), time.monotonic()

    def have_died_and_gone_on() -> bool:
        nonlocal armed, died_at
        left = {point for point in points if place.is_armed(point)}
        armed, died_at = left, died_at if left == armed else time.monotonic()
        since_claim_s, though_free_s = place.stack.inside(work.waits_s)
        longest_s.append(min(since_claim_s, time.monotonic() - died_at))
        return not armed and though_free_s < breath_s

    place.seconds_until(have_died_and_gone_on)
    return max(longest_s)


def _kill_one(place: Installation, dice: random.Random, *, whole: bool) -> None:
    main, pool = _worker(place)
    time.sleep(dice.random())
    with suppress(ProcessLookupError):  # it came to a failpoint itself
        os.kill(main if whole else dice.choice(pool), signal.SIGKILL)
    if whole:  # the next come to a failpoint while it starts, with which Celery ends once more
        place.seconds_until(lambda: _worker(place)[0] != main)


def _worker(place: Installation) -> tuple[int, list[int]]:
    """The number of the worker, and those of its pool, once it has two."""
    pool: dict[int, list[int]] = {}

    def has_two() -> bool:
        pool.clear()
        found = [pid for pid, words in place.stack.processes().items() if _WORKER in words]
        for pid in found:
            with suppress(OSError):
                stat = Path(f"/proc/{pid}/stat").read_text()
                pool.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(pid)
        for parent in set(pool) - set(found):
            del pool[parent]
        return [len(children) for children in pool.values()] == [2]

    place.seconds_until(has_two)
    ((main, children),) = pool.items()
    return main, children


@fault("a task delivered 50 times, with two beats")
def delivered_again(place: Installation) -> list[Figure]:
    place.stack.inside(due_work.plan, ramps=2, schedules=10)
    command = [sys.executable, "-m", "celery", "-A", "portal.celery", "beat", "--pidfile="]
    schedule = str(place.stack.var / "second-beat")
    with subprocess.Popen([*command, "-s", schedule], env=place.stack.environment) as beat:
        with Celery(broker=place.redis.url.replace("unix://", "redis+socket://")) as client:
            for _time in range(50):
                client.send_task("flags.tasks.carry_out_plans")
        steps = place.stack.inside(due_work.steps)
        place.seconds_until(lambda: place.stack.inside(due_work.went_on, since=steps))
        beat.terminate()
    found = place.stack.inside(due_work.end)
    place.mark_writes()
    steps_done = Figure("steps", found.pop("steps"))
    return [steps_done, *(Figure(name, count, "", 0) for name, count in found.items())]


def _stopped(place: Installation, point: str) -> list[Figure]:
    """A process is stopped with a plan in hand; others do it, and it finds that when it goes on."""
    place.stack.inside(due_work.plan, ramps=1, schedules=0)
    while True:  # the first to come there may have something else in hand
        place.fail_at(point, signal.SIGSTOP)
        place.seconds_until(lambda: not place.is_armed(point))
        if place.stack.inside(due_work.is_in_hand):
            break
        _go_on(place)
    steps = place.stack.inside(due_work.steps)
    gone_on_s = place.seconds_until(lambda: place.stack.inside(due_work.went_on, since=steps))
    _go_on(place)
    steps = place.stack.inside(due_work.steps)
    place.seconds_until(lambda: place.stack.inside(due_work.went_on, since=steps))
    found = place.stack.inside(due_work.end)
    place.mark_writes()
    return [
        Figure("the plan goes on after", gone_on_s, "s", 15),
        *(Figure(name, count, "", 0) for name, count in found.items() if name != "steps"),
    ]


def _go_on(place: Installation) -> None:
    for pid in place.stack.processes():
        os.kill(pid, signal.SIGCONT)


@fault("a worker stopped past its lease")
def stopped_worker(place: Installation) -> list[Figure]:
    return _stopped(place, "after-claim")


@fault("a worker stopped in its transaction", on_postgres=True)
def stopped_in_a_transaction(place: Installation) -> list[Figure]:
    return _stopped(place, "before-commit")
