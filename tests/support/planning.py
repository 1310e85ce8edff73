"""Plans for tests, and how time passes for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from flags.schedules import create, runner
from flags.schedules.models import Plan
from portal.access.models import User
from portal.lib.journal import Actor, Intent
from tests.support.desk import RULE, Desk
from tests.support.freezing import clock_text
from tests.support.people import acting

STEPS = [{"percent": 10, "after_s": 0}, {"percent": 50, "after_s": 3600}]
SHARED_RULE = RULE | {"audience": {"percent": 1.0}}
TARGET = {"part": "audience", "rule": "r-1"}


def _actor(person: User | Actor) -> Actor:
    return acting(person) if isinstance(person, User) else person


def a_schedule(desk: Desk, person: User | Actor, operation: str = "turn_on", **fields: Any) -> Plan:
    """Tomorrow, unless the fields say otherwise."""
    starts = clock_text(datetime.now(UTC) + timedelta(days=1))
    document = {"operation": operation, "starts": starts, "zone": "UTC", **fields}
    return create.create_schedule(
        flag=desk.flag,
        environment=desk.environment,
        document=document,
        intent=Intent(_actor(person), reason=desk.reason, options=desk.options, at=desk.now),
    )


def a_ramp(desk: Desk, person: User | Actor, **fields: Any) -> Plan:
    """At once, unless the fields say otherwise."""
    return create.create_ramp(
        flag=desk.flag,
        environment=desk.environment,
        document={"target": TARGET, "steps": STEPS, **fields},
        intent=Intent(_actor(person), reason=desk.reason, options=desk.options, at=desk.now),
    )


def let_it_be_due(plan: Plan, ago: timedelta = timedelta(seconds=1)) -> None:
    """As if what is next of a plan had been planned for a moment that is past."""
    plan.refresh_from_db()
    assert plan.due_at is not None
    back = plan.due_at - (datetime.now(UTC) - ago)
    anchor = plan.anchor_at - back if plan.anchor_at else None
    Plan.objects.filter(pk=plan.pk).update(
        due_at=plan.due_at - back, anchor_at=anchor, retry_at=None, leased_until=None
    )


def carry_out(plan: Plan, ago: timedelta = timedelta(seconds=1)) -> Plan:
    """Let what is next of a plan be due, and the worker come by."""
    let_it_be_due(plan, ago)
    runner.carry_out_due()
    return Plan.objects.get(pk=plan.pk)


def share_now(desk: Desk) -> float:
    """The share of the rule, in percent."""
    rules: Any = desk.configuration.document["rules"]
    return float(rules[0]["audience"]["percent"])
