"""Carrying out what is due of plans.

Any number of workers may do this at once, and a task may be delivered twice: each step is claimed
by a conditional update of its plan's row and done in the same transaction, so that it happens once
or not at all. Only the database's clock says what is due.

What is late happens once: a schedule goes on with its next time to come and does not make up for
those it missed, and a ramp takes one step and moves the others by as much, so that it never jumps.
The history says what each was planned for. A step that a freeze stops waits for its end. A plan
that cannot go on rests and says why; one whose step breaks is tried again, later each time.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from flags.models import Plan, PlanState
from flags.plans import Halted, following, targeting_digest
from flags.services import configurations
from flags.services.plans import shared
from flags.services.plans.meddling import require_untouched
from flags.services.plans.steering import rest
from portal.access import outbox
from portal.access.models import User
from portal.approvals.errors import EmergencyRunning, Frozen, Waiting
from portal.approvals.models import ChangeRequest
from portal.lib import clock, journal
from portal.lib.errors import AviaryError
from portal.lib.intent import Intent, Step, WriteOptions
from portal.lib.journal import Actor

logger = logging.getLogger(__name__)
FIRST_RETRY, LAST_RETRY = timedelta(seconds=5), timedelta(hours=1)
# Some twenty minutes after the first failure.
MOST_FAILURES = 8
HELD_LOOK = timedelta(seconds=5)


def carry_out_due() -> int:
    """Carry out what is due; returns how many plans were looked at."""
    moment = clock.database_now()
    due = Plan.objects.filter(state=PlanState.RUNNING, due_at__lte=moment)
    seen = list(due.exclude(retry_at__gt=moment).order_by("due_at", "pk"))
    for plan in seen:
        try:
            _carry_out(plan)
        except Exception:  # the others are due as well; this one is tried again
            logger.exception("%s %s could not be carried out", plan.kind, plan.pk)
            _note_failure(plan)
    return len(seen)


@transaction.atomic
def _carry_out(seen: Plan) -> None:
    plan = _claim(seen)
    if plan is None:
        return  # somebody stopped it, or another worker did it
    actor, moment = _actor(plan), clock.database_now()
    try:
        # The service undoes what it did, and keeps a request that it opened.
        changed = _perform(plan, Intent(actor, _why(plan), at=moment))
    except (Frozen, EmergencyRunning) as passing:
        _hold(plan, actor, str(passing))
    except Waiting as waiting:
        _give_up(plan, actor, str(waiting), ends=not (plan.is_ramp or plan.timetable.rrule))
    except Halted as halted:
        _give_up(plan, actor, str(halted), ends=halted.ends)
    except AviaryError as error:
        _give_up(plan, actor, str(error))
    else:
        if not changed:
            shared.record_plan("was_so", plan, Intent(actor, _why(plan), at=moment))
        _move_on(plan, moment)


def _claim(seen: Plan) -> Plan | None:
    """The plan with everything locked that decides about its step; None where it is not due.

    In the order of every writer: who may do what, the request and its people, the environment.
    """
    project = seen.flag.project
    outbox.lock_people(project)
    if seen.agreement_id:
        ChangeRequest.objects.select_for_update(no_key=True).get(pk=seen.agreement_id)
    people = User.objects.select_for_update(no_key=True).filter(pk=seen.author_user_id or 0)
    list(people.order_by("pk"))
    (environment,) = outbox.lock_environments([seen.environment])
    moment = clock.database_now()
    mine = Plan.objects.filter(
        pk=seen.pk, state=PlanState.RUNNING, step=seen.step, due_at=seen.due_at
    )
    if mine.filter(due_at__lte=moment).update(changed_at=moment) != 1:
        return None
    plan = Plan.objects.select_related("flag__project", "author_user").get(pk=seen.pk)
    plan.environment = environment
    return plan


def _perform(plan: Plan, intent: Intent) -> bool:
    """The step, through the service that everybody uses; returns whether anything changed."""
    current = shared.current_configuration(plan)
    if plan.flag.is_archived:
        raise Halted(_("The flag is archived."), ends=True)
    if plan.is_ramp:
        require_untouched(plan, current)
    after = shared.outcome(plan, current.document)
    step = Step(shared.kind_name(plan), plan.pk, plan.step)
    saved = configurations.save_configuration(
        flag=plan.flag,
        environment=plan.environment,
        document=after,
        expected_version=current.version,
        intent=replace(intent, options=WriteOptions(step=step)),
    )
    plan.base = targeting_digest(after) if plan.base else ""
    return saved.version != current.version


def _why(plan: Plan) -> str:
    """For the history: what it was planned for, by whom, and why."""
    assert plan.due_at is not None
    text = f"Planned for {plan.due_at:%Y-%m-%d %H:%M:%S} UTC by {plan.author}"
    return f"{text}: {plan.reason}" if plan.reason else text


def _actor(plan: Plan) -> Actor:
    return journal.system(f"{plan.kind} {plan.pk} of {plan.author}"[:200])


def _move_on(plan: Plan, moment: datetime) -> None:
    plan.share = plan.steps[plan.step].share if plan.is_ramp else None
    plan.step, plan.done_at, plan.problem = plan.step + 1, moment, ""
    plan.failures, plan.retry_at = 0, None
    plan.due_at = _next_of_ramp(plan, moment) if plan.is_ramp else _next_time(plan, moment)
    if plan.due_at is None:
        plan.state = PlanState.FINISHED
    plan.save()


def _next_time(plan: Plan, moment: datetime) -> datetime | None:
    """The next time to come: those that were missed are not made up for."""
    if not plan.timetable.rrule:
        return None
    coming = following(plan.timetable, max(moment, plan.due_at or moment))
    return coming[0].at if coming else None


def _next_of_ramp(plan: Plan, moment: datetime) -> datetime | None:
    """After the planned time from the anchor; where that is over too, all the rest moves."""
    if plan.step >= len(plan.steps):
        return None
    assert plan.anchor_at is not None
    if plan.anchor_at + plan.after <= moment:
        plan.anchor_at = moment - timedelta(seconds=plan.steps[plan.step - 1].after_s)
    return plan.anchor_at + plan.after


def _hold(plan: Plan, actor: Actor, why: str) -> None:
    """A freeze or an emergency: nothing is lost, and it is looked at again. Said once."""
    if plan.problem != why:
        shared.record_plan("held", plan, Intent(actor, why))
    plan.problem, plan.retry_at = why, clock.database_now() + HELD_LOOK
    plan.save()


def _give_up(plan: Plan, actor: Actor, why: str, *, ends: bool = False) -> None:
    shared.record_plan("stopped" if ends else "held_back", plan, Intent(actor, why))
    shared.tell_author(plan, f"plan:{plan.pk}:{plan.step}:{plan.round}", why)
    state = PlanState.CANCELLED if ends else PlanState.PAUSED
    rest(plan, state, actor, clock.database_now(), why)


@transaction.atomic
def _note_failure(seen: Plan) -> None:
    """Try again later each time; in the end it rests, and says so."""
    plan = shared.lock_plan(seen)
    if (plan.state, plan.step, plan.due_at) != (seen.state, seen.step, seen.due_at):
        return
    moment, actor = clock.database_now(), _actor(plan)
    why = _("It broke on our side; the log has the details.")
    if plan.failures + 1 >= MOST_FAILURES:
        _give_up(plan, actor, why)
        return
    shared.record_plan("step_failed", plan, Intent(actor, why, at=moment))
    plan.retry_at = moment + min(LAST_RETRY, FIRST_RETRY * 2**plan.failures)
    plan.failures, plan.problem = plan.failures + 1, why
    plan.save()
