"""Pausing, resuming and cancelling plans. Stopping is free; going on may take approval."""

from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from flags.core import selectors
from flags.schedules import create
from flags.schedules.models import Plan
from flags.schedules.ramps import following, share_of
from portal.access import authority
from portal.access.permissions import Permission
from portal.approvals import gate
from portal.approvals.authors import answer_for
from portal.approvals.errors import Barred
from portal.approvals.services import gated
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid, checked_text
from portal.lib.journal import Actor, Intent
from portal.runs.models import RunState


@transaction.atomic
def pause_plan(*, plan: Plan, intent: Intent) -> Plan:
    """Let a plan rest; what was left of its time stays. No policy asks: it turns nothing on.

    Raises Forbidden without ``flag.edit`` or ``flag.toggle``, Invalid where it does not run.
    """
    locked = create.lock_plan(plan)
    _require_one(locked, intent.actor)
    if not locked.is_running:
        raise Invalid({"": _("This plan is not running.")})
    return _rest(locked, RunState.PAUSED, intent)


@transaction.atomic
def cancel_plan(*, plan: Plan, intent: Intent) -> Plan:
    """End a plan; what it has done so far stays. Raises what pause_plan raises."""
    locked = create.lock_plan(plan)
    _require_one(locked, intent.actor)
    if not locked.is_alive:
        raise Invalid({"": _("This plan is over already.")})
    return _rest(locked, RunState.CANCELLED, intent)


@gated
def resume_plan(*, plan: Plan, intent: Intent) -> Plan:
    """Let a paused plan go on.

    A ramp goes on from the share that is there now, with the time that was left; a schedule with
    its next time. What others agreed to still holds where it would be agreed to again; otherwise
    the gate is asked anew, and the person who resumes it answers for the plan from then on.

    Raises Forbidden without what the plan's change takes, Invalid where it is not paused or its
    time is over, Waiting where a policy wants others to agree.
    """
    locked = create.lock_plan(plan)
    for permission in locked.permissions:
        gate.require(
            intent, permission, project=locked.flag.project, environment=locked.environment
        )
    if not locked.is_paused:
        raise Invalid({"": _("This plan is not paused.")})
    _go_on(locked, intent.at)
    if intent.options.agreement is not None or not _still_agreed(locked, clock.database_now()):
        locked.round += 1
        current = create.current_configuration(locked).document
        intent = gate.check(create.plan_change(locked, current), intent).intent
        answer_for(locked, intent.actor, intent.options.agreement)
    locked.changed_at, locked.changed_by = intent.at, intent.actor.label
    locked.save()
    create.record_plan("resumed", locked, intent)
    return locked


def _rest(plan: Plan, state: RunState, intent: Intent) -> Plan:
    why = checked_text(intent.reason, "reason")
    plan.rest(state, why, by=intent.actor, at=intent.at)
    plan.save()
    create.record_plan(state, plan, replace(intent, reason=why))
    return plan


def _require_one(plan: Plan, actor: Actor) -> None:
    """Anyone who can change the flag there can also stop what changes it by itself."""
    held = authority.permissions_of(actor, plan.flag.project, plan.environment)
    if not held & {Permission.FLAG_EDIT, Permission.FLAG_TOGGLE}:
        raise Forbidden(plan.permissions[0])


def _still_agreed(plan: Plan, moment: datetime) -> bool:
    try:
        return gate.is_agreed(create.plan_change(plan), plan.agreement_id, moment=moment)
    except Barred:
        return False


def _go_on(plan: Plan, moment: datetime) -> None:
    """Set a paused plan to run, with its next instant. Raises Invalid where it has none."""
    plan.share = None
    if not plan.is_ramp:
        coming = following(plan.timetable, moment)
        if not coming:
            raise Invalid({"": _("Its time is over. Make a new plan instead.")})
        plan.go_on(coming[0].at)
        return
    selectors.refuse_moved(plan.flag, plan.environment)
    left = max(timedelta(), (plan.due_at or moment) - plan.changed_at)
    _skip_what_is_reached(plan)
    plan.go_on(moment + left)
    plan.anchor_at = moment + left - plan.after


def _skip_what_is_reached(plan: Plan) -> None:
    share = share_of(create.current_configuration(plan).document, plan.document["target"])
    if share is None or share > plan.steps[-1].share:
        raise Invalid.of(
            "", _("There is nothing left to raise: the share is gone, or higher already.")
        )
    while plan.steps[plan.step].share < share:
        plan.step += 1
