"""Carrying out what is due of plans.

What is late happens once: a schedule goes on with its next time to come and does not make up for
those it missed, and a ramp takes one step and moves the others by as much, so that it never jumps.
The history says what each was planned for. A step that a freeze stops waits for its end. A plan
that cannot go on is paused and says why; one whose step breaks is tried again, later each time.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from flags.core import configurations
from flags.models import FlagConfiguration
from flags.schedules import create
from flags.schedules.models import Plan
from flags.schedules.ramps import Halted, following, share_of, targeting_digest
from portal.access import outbox
from portal.access.models import User
from portal.approvals.errors import EmergencyRunning, Waiting
from portal.approvals.freezes.selectors import Frozen
from portal.approvals.models import ChangeRequest
from portal.audit import selectors as audit
from portal.lib import journal
from portal.lib.journal import Actor, Intent, Step, WriteOptions
from portal.runs.models import RunState
from portal.runs.runner import Runner


def carry_out_due() -> int:
    return PlanRunner().look()


class PlanRunner(Runner[Plan]):
    holding = (Frozen, EmergencyRunning)

    def due(self, at: datetime) -> QuerySet[Plan]:
        running = Plan.objects.filter(state=RunState.RUNNING, due_at__lte=at)
        return running.order_by("due_at", "pk")

    def lock(self, seen: Plan) -> Plan:
        """In the order of every writer: who may do what, the request and its people, the rest."""
        outbox.lock_people(seen.flag.project)
        if seen.agreement_id:
            ChangeRequest.objects.select_for_update(no_key=True).get(pk=seen.agreement_id)
        people = User.objects.select_for_update(no_key=True).filter(pk=seen.author_user_id or 0)
        list(people.order_by("pk"))
        return create.lock_plan(seen)

    def carry_out(self, work: Plan, at: datetime, answer: object) -> None:
        # The service undoes what it did, and keeps a request that it opened.
        intent = Intent(_actor(work), _why(work), at=at)
        if not _perform(work, intent):
            create.record_plan("was_so", work, intent)
        _move_on(work, at)

    def stop(self, work: Plan, why: str, at: datetime, cause: Exception) -> None:
        repeats = work.is_ramp or work.timetable.rrule
        ends = (
            cause.ends if isinstance(cause, Halted) else isinstance(cause, Waiting) and not repeats
        )
        create.record_plan(
            "stopped" if ends else "held_back", work, Intent(_actor(work), why, at=at)
        )
        create.tell_author(work, f"plan:{work.pk}:{work.step}:{work.round}", why)
        state = RunState.CANCELLED if ends else RunState.PAUSED
        work.rest(state, why, by=_actor(work), at=at)
        work.save()

    def tell(self, work: Plan, event: str, why: str) -> None:
        create.record_plan(event, work, Intent(_actor(work), why))


def _perform(plan: Plan, intent: Intent) -> bool:
    current = create.current_configuration(plan)
    if plan.flag.is_archived:
        raise Halted(_("The flag is archived."), ends=True)
    if plan.is_ramp:
        require_untouched(plan, current)
    after = create.outcome(plan, current.document)
    step = Step(create.kind_name(plan), plan.pk, plan.step)
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


def _move_on(plan: Plan, at: datetime) -> None:
    plan.share = plan.steps[plan.step].share if plan.is_ramp else None
    plan.clear()
    plan.step, plan.done_at, plan.changed_at = plan.step + 1, at, at
    plan.due_at = _next_of_ramp(plan, at) if plan.is_ramp else _next_time(plan, at)
    if plan.due_at is None:
        plan.state = RunState.FINISHED
    plan.save()


def _next_time(plan: Plan, at: datetime) -> datetime | None:
    """The next time to come: those that were missed are not made up for."""
    if not plan.timetable.rrule:
        return None
    coming = following(plan.timetable, max(at, plan.due_at or at))
    return coming[0].at if coming else None


def _next_of_ramp(plan: Plan, at: datetime) -> datetime | None:
    """After the planned time from the anchor; where that is over too, all the rest moves."""
    if plan.step >= len(plan.steps):
        return None
    assert plan.anchor_at is not None
    if plan.anchor_at + plan.after <= at:
        plan.anchor_at = at - timedelta(seconds=plan.steps[plan.step - 1].after_s)
    return plan.anchor_at + plan.after


# Whether somebody else has moved what a ramp moves. A ramp goes on where others changed anything
# but its own share. It rests where somebody set that share by hand or turned the flag off, and it
# ends where the rule or split is gone. It says who did it where the history does, since the ramp
# was made; else it says what it found. Before its first step, and after a pause, it takes the
# share that is there, as long as that is not higher than what the step would set.


Document = dict[str, Any]
_LOOKED_AT = 100


def require_untouched(plan: Plan, current: FlagConfiguration) -> None:
    """Raise Halted where the ramp must not go on by itself."""
    document, target = current.document, plan.document["target"]
    share = share_of(document, target)
    if share is None:
        who = _who(plan, lambda one: share_of(one, target) is None)
        text = _("{person} removed what it raises.") if who else _("What it raises is gone.")
        raise Halted(text.format(person=who), ends=True)
    if not current.enabled:
        who = _who(plan, lambda one: one["enabled"])
        text = _("{person} turned the flag off.") if who else _("The flag is off.")
        raise Halted(text.format(person=who))
    meant = plan.share
    if share != meant if meant is not None else share > plan.steps[plan.step].share:
        who = _who(plan, lambda one: share_of(one, target))
        text = _("The share is {percent} %, and the next step would set {next} %.")
        if who:
            text = _("{person} set the share to {percent} % by hand.")
        coming = plan.steps[plan.step].share
        words = {"percent": f"{share / 1000:g}", "next": f"{coming / 1000:g}"}
        raise Halted(text.format(person=who, **words))


def _who(plan: Plan, aspect: Callable[[Document], object]) -> str:
    events = audit.events_of(plan.flag.project, subject_kind="flag", subject=plan.flag.key)
    events = events.filter(environment=plan.environment.key, at__gte=plan.created_at)
    for event in events[:_LOOKED_AT]:
        before, after = event.before_document or {}, event.after_document or {}
        both = "rules" in before and "rules" in after
        if both and aspect(before) != aspect(after):
            return event.actor
    return ""
