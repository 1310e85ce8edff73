"""Ramps and schedules by the second, made and looked at inside an installation.

Its process stays, so each fault counts those that it has made itself.
"""

import time
from collections import Counter
from datetime import timedelta
from itertools import cycle
from typing import Any

_round = 0
PLACE = {"project__key": "demo", "key": "development"}
# Thousandths from one step of a ramp to the next, and seconds.
SHARE, STEP_S = 50, 1


def plan(*, ramps: int, schedules: int) -> None:
    """Ramps of a step a second, and schedules of which two a second are due, on flags of theirs."""
    from flags.schedules import create, reading
    from flags.schedules.models import Plan
    from portal.access.models import Environment
    from portal.lib import clock

    global _round
    _round += 1
    reading.SHORTEST_STEP_S = STEP_S
    place = Environment.objects.select_related("project").get(**PLACE)
    steps = [{"percent": n * SHARE / 1000, "after_s": n * STEP_S} for n in range(1, 1000)]
    for number in range(ramps):
        create.create_ramp(
            **_flag(place, f"due-{_round}-ramp-{number}", enabled=True),
            document={"target": {"part": "audience", "rule": "everybody"}, "steps": steps},
        )
    switched = [_flag(place, f"due-{_round}-switch-{number}", enabled=False) for number in range(3)]
    now = clock.database_now()
    tomorrow = f"{now + timedelta(days=1):%Y-%m-%dT%H:%M}"
    for number, on in zip(range(schedules), cycle(switched), strict=False):
        operation = "turn_off" if number // 3 % 2 else "turn_on"
        document = {"operation": operation, "starts": tomorrow, "zone": "UTC"}
        made = create.create_schedule(**on, document=document)
        Plan.objects.filter(pk=made.pk).update(due_at=now + timedelta(seconds=number / 2))


def _flag(place: Any, key: str, *, enabled: bool) -> dict[str, Any]:
    from flags.core import configurations, definitions
    from portal.access import authority
    from portal.access.models import User
    from portal.lib.journal import Intent, Trace

    by = Intent(authority.user_actor(User.objects.get(username="admin"), Trace()))
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    document = {"key": key, "kind": "release", "value_type": "boolean", "variants": variants}
    flag = definitions.create_flag(project=place.project, document=document, intent=by)
    if enabled:
        rule = {
            "id": "everybody",
            "when": {"attribute": "country", "operator": "exists"},
            "audience": {"percent": 0.001},
            "serve": {"variant": "on"},
        }
        current = flag.configurations.get(environment=place)
        configurations.save_configuration(
            flag=flag,
            environment=place,
            document=current.document | {"enabled": True, "rules": [rule]},
            expected_version=current.version,
            intent=by,
        )
    return {"flag": flag, "environment": place, "intent": by}


def waits_s() -> list[float]:
    """Of the plan that waits longest: since it was due, or last in somebody's hand; and of the one
    that waits longest though nobody has it in hand."""
    from flags.schedules.models import Plan
    from portal.lib import clock
    from portal.runs.runner import LEASE_S

    now, lease = clock.database_now(), timedelta(seconds=LEASE_S)
    found = [[0.0, 0.0]]
    rows = _mine(Plan).filter(state="running").values_list("due_at", "leased_until")
    for due, leased in rows:
        claimed = max(due, leased - lease) if leased else due
        free = max(due, leased) if leased else due
        found.append([(now - claimed).total_seconds(), (now - free).total_seconds()])
    return [max(column) for column in zip(*found, strict=True)]


def steps() -> dict[str, int]:
    """How many steps of each ramp are done."""
    from flags.schedules.models import Plan

    return {str(pk): step for pk, step in _mine(Plan).filter(kind="ramp").values_list("pk", "step")}


def went_on(*, since: dict[str, int]) -> bool:
    """Whether each ramp has taken a step, and each schedule is done."""
    from flags.schedules.models import Plan

    waiting = _mine(Plan).filter(kind="schedule", state="running").exists()
    return not waiting and all(step > since[plan] for plan, step in steps().items())


def is_in_hand() -> bool:
    """Whether a worker has a plan."""
    from flags.schedules.models import Plan

    return bool(_mine(Plan).exclude(leased_until=None).exists())


def end() -> dict[str, int]:
    """Cancel what runs; of all plans, what was done more than once, or not, and how much was."""
    from flags.schedules.models import Plan
    from portal.audit.models import AuditEvent

    _mine(Plan).filter(state="running").update(state="cancelled", due_at=None)
    time.sleep(1)  # what is under way ends
    rows = AuditEvent.objects.filter(actor_kind="system", environment=PLACE["key"])
    done = Counter(rows.values_list("actor", flat=True))
    found = Counter({"doubled": 0, "skipped": 0, "not as planned": 0, "steps": 0})
    for plan in _mine(Plan).select_related("flag"):
        times = done[f"{plan.kind} {plan.pk} of admin"]
        found["doubled"] += max(times - plan.step, 0)
        found["skipped"] += max(plan.step - times, 0)
        found["not as planned"] += plan.state == "paused"
        found["steps"] += plan.step
        if plan.is_ramp and plan.step:
            found["not as planned"] += _share(plan) != plan.steps[plan.step - 1].share
    return dict(found)


def _mine(plan: Any) -> Any:
    return plan.objects.filter(flag__key__startswith=f"due-{_round}-")


def _share(plan: Any) -> int:
    from flags.schedules.ramps import share_of

    current = plan.flag.configurations.get(environment=plan.environment)
    return share_of(current.document, plan.document["target"]) or 0
