from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import authority
from portal.approvals import gate
from portal.approvals.authors import require_still
from portal.approvals.services import gated
from portal.lib.errors import Invalid, checked_text
from portal.lib.journal import ActorKind, Intent
from releases.core import comparisons, descriptions, exposures, selectors, situation, transitions
from releases.core.changes import promotion_change
from releases.core.command_rules import (
    at_gate,
    failing,
    first_step_back,
    lock_for,
    lock_release,
    promoted_to,
)
from releases.core.models import Note, Release, State
from releases.core.starting import Planned, plan_and_start, require_agreed, start as start
from releases.engine.plans import Strategy
from releases.routers import Told


@transaction.atomic
def confirm(*, release: Release, intent: Intent) -> Release:
    """Say that traffic is moved by hand as the release wants it."""
    locked = lock_for(release, "confirm", intent)
    locked.holds = []
    told = Told(locked.wanted["share"], tuple(locked.wanted["cohorts"]))
    transitions.record("confirmed", locked, intent, more={"share": told.share})
    locked.due_at = intent.at
    transitions.note_told(locked, told, intent)
    return locked


@transaction.atomic
def pause(*, release: Release, intent: Intent) -> Release:
    """Let it rest at its step; it is measured and judged on."""
    locked = lock_for(release, "pause", intent)
    locked.state, locked.paused_at = State.PAUSED, intent.at
    locked.finished = locked.step - 1  # so its group waits for it
    _done(locked, "paused", intent)
    return locked


@transaction.atomic
def resume(*, release: Release, intent: Intent) -> Release:
    """Let it go on; the pause counts neither for the step's time nor the deadline."""
    locked = lock_for(release, "resume", intent)
    assert locked.paused_at is not None
    rested = intent.at - locked.paused_at
    locked.entered_at = locked.entered_at and locked.entered_at + rested
    locked.rested_s += rested.total_seconds()
    locked.state, locked.paused_at = State.RUNNING, None
    locked.holds = [one for one in locked.holds if one["cause"] != "paused"]
    _done(locked, "resumed", intent)
    return locked


@gated
def promote(*, release: Release, intent: Intent) -> Release:
    """Let it enter the next step now; at the last one, succeed."""
    return _promote(release, intent, fully=False)


@gated
def promote_fully(*, release: Release, intent: Intent) -> Release:
    return _promote(release, intent, fully=True)


def _promote(release: Release, intent: Intent, *, fully: bool) -> Release:
    locked = lock_for(release, "promote_fully" if fully else "promote", intent)
    failed = _skipped(locked, intent)
    waits, last = at_gate(locked), len(locked.parsed_plan.all_steps) - 1
    number = promoted_to(locked, fully=fully)
    change = promotion_change(locked, number)
    result = gate.check(change, intent)
    passed = result.intent
    locked.promoted = locked.promoted or not waits
    locked.holds = []
    locked.paused_at = None
    if locked.step == last:
        transitions.end(locked, State.SUCCEEDED, passed)
        return locked
    locked.state = State.RUNNING
    _set_aside(locked, failed, intent)
    more = {"to": descriptions.step_name(locked, number), "skipped": failed}
    transitions.record("promoted", locked, passed, more=more)
    places = [locked.environment]
    needed = selectors.needed(locked)
    require_still(locked.author_actor, needed, project=locked.project, places=places)
    transitions.enter(locked, number, replace(passed, reason=""), promotion=result.request)
    return locked


def _skipped(locked: Release, intent: Intent) -> list[str]:
    """The checks whose failures a promotion skips. Raises Invalid where it gives no reason."""
    failed = [key for key in failing(locked) if not locked.checks[key].get("dismissed")]
    if failed and not intent.reason.strip():
        text = _("The check “{key}” fails. Give a reason to dismiss the failure.")
        raise Invalid({"reason": text.format(key=failed[0])})
    return failed


def _set_aside(locked: Release, failed: list[str], intent: Intent) -> None:
    exposures.set_aside(locked)
    if failed:
        comparisons.begin_anew(locked, intent.at, *failed)


@gated
def pass_gate(*, release: Release, intent: Intent) -> Release:
    """Let one of a group pass the gate that it waits at: it goes on once the others have come as
    far."""
    locked = lock_for(release, "promote", intent, with_group=True)
    if not at_gate(locked):
        raise Invalid({"": _("It does not wait at a gate.")})
    failed = _skipped(locked, intent)
    number = promoted_to(locked, fully=False)
    result = gate.check(promotion_change(locked, number), intent)
    locked.wanted["passed"] = {"promotion": result.request.pk if result.request else None}
    locked.holds, locked.state, locked.due_at = [], State.RUNNING, intent.at
    _set_aside(locked, failed, intent)
    locked.save()
    more = {"to": descriptions.step_name(locked, number), "skipped": failed}
    transitions.record("promoted", locked, result.intent, more=more)
    return locked


@gated
def dismiss(*, release: Release, intent: Intent, check: str) -> Release:
    """Set the present failure of one check aside; the next one counts again."""
    locked = lock_for(release, "dismiss", intent)
    if check not in failing(locked):
        raise Invalid({"check": _("This check does not fail.")})
    passed = gate.check(promotion_change(locked, locked.step, dismissed=check), intent).intent
    locked.checks[check]["dismissed"] = True
    comparisons.begin_anew(locked, intent.at, check)
    _done(locked, "dismissed", passed, check=check)
    return locked


@transaction.atomic
def retry(*, release: Release, intent: Intent) -> Release:
    """Begin the present step anew: it is measured from now on, and routed again."""
    locked = lock_for(release, "retry", intent)
    if locked.router["kind"] != "flag" and locked.told.get("share") != locked.wanted["share"]:
        require_agreed(locked, intent)  # a flag's own gate asks that
    locked.holds, locked.state = [], State.RUNNING
    locked.clear()
    exposures.set_aside(locked)
    transitions.record("retried", locked, intent)
    transitions.enter(locked, locked.step, transitions.by_itself(locked, "", intent.at))
    return locked


@transaction.atomic
def jump_back(*, release: Release, intent: Intent, step: int) -> Release:
    """Back to an earlier step, from which it goes on by its plan."""
    locked = lock_for(release, "jump_back", intent)
    first = first_step_back(locked)
    if not first <= step < locked.step:
        raise Invalid.of(
            "step", _("Give the number of an earlier step, from {first}."), first=first
        )
    _refuse_raising(locked, locked.parsed_plan.all_steps[step].share, intent)
    locked.holds = [one for one in locked.holds if one["cause"] == "paused"]
    transitions.record(
        "jumped_back", locked, intent, more={"to": descriptions.step_name(locked, step)}
    )
    transitions.enter(locked, step, replace(intent, reason=""))
    return locked


def _refuse_raising(release: Release, share: int, intent: Intent) -> None:
    """Raise Forbidden where a step back would be one up, since somebody has set the router lower by
    hand, for who may only take it back."""
    now = release.told.get("share")
    if release.router["kind"] == "flag":
        now = situation.told_now(release).share
    elif now is None:  # it is away: nothing says that anybody did
        return
    if now is None or now < share:
        gate.require(
            intent,
            selectors.needed(release)[0],
            project=release.project,
            environment=release.environment,
        )


@transaction.atomic
def drop_cohort(*, release: Release, intent: Intent, cohort: str) -> Release:
    """Take back one cohort alone; the others, and the share, stay."""
    locked = lock_for(release, "drop_cohort", intent)
    if cohort not in locked.wanted["cohorts"]:
        raise Invalid({"cohort": _("This cohort does not get it separately.")})
    _refuse_raising(locked, int(locked.wanted["share"]), intent)
    locked.dropped = [*locked.dropped, cohort]
    cohorts = [one for one in locked.wanted["cohorts"] if one != cohort]
    locked.wanted = {**locked.wanted, "cohorts": cohorts}
    _done(locked, "cohort_returned", intent, cohort=cohort)
    transitions.route(locked, intent)
    return locked


@transaction.atomic
def abort(*, release: Release, intent: Intent) -> Release:
    """End it; what traffic it has goes back."""
    locked = lock_for(release, "abort", intent)
    if locked.state == State.PLANNED:
        locked.because = {"by": intent.actor.label}
        transitions.end(locked, State.ABORTED, intent)
        return locked
    return _go_back(locked, State.ABORTED, intent)


@transaction.atomic
def rollback(*, release: Release, intent: Intent) -> Release:
    """Take it back now: it beats gates, freezes and promotions, and waits for no worker.

    Takes ``release.rollback`` and nothing else; doing it again changes nothing.
    """
    locked = lock_release(release)
    if locked.state in (State.ROLLING_BACK, State.ROLLED_BACK):
        return locked
    return _go_back(lock_for(locked, "rollback", intent), State.ROLLED_BACK, intent)


def _go_back(locked: Release, to: State, intent: Intent) -> Release:
    locked.fence += 1  # a worker that has it in hand finds another number
    locked.leased_until = None
    because = {
        "by": intent.actor.label,
        "reason": intent.reason.strip(),
        "to": to,
        "person": intent.actor.kind is ActorKind.USER,
    }
    transitions.go_back(locked, because, intent)
    return locked


def undo(*, release: Release, intent: Intent) -> Release:
    """Release the version that was there before, all at once, when the watch is over.

    That is a release of its own, which is asked about like any other; returns it. Scripts release
    the version that it replaces there no more, until a person has. Raises what ``start`` raises.
    """
    return _undo(release, intent).started


@transaction.atomic
def _undo(release: Release, intent: Intent) -> Planned:
    locked = lock_for(release, "undo", intent)
    assert locked.service is not None
    assert locked.stable is not None
    rolls = locked.parsed_plan.strategy is Strategy.ROLLING
    document = {
        "service": locked.service.key,
        "artefact": {"version": locked.stable.version, "digest": locked.stable.digest},
        "strategy": Strategy.ROLLING if rolls else Strategy.IN_PLACE,
        "plan": {"batches": locked.plan["batches"]} if rolls else {"proof_of_return": False},
    }
    planned = plan_and_start(
        project=locked.project,
        environment=locked.environment,
        document=document,
        intent=intent,
        undoes=locked,
    )
    locked.because = {**locked.because, "undone_with": planned.release.pk}
    locked.save()
    return planned


@transaction.atomic
def note(*, release: Release, intent: Intent, text: str) -> Note:
    """Write something on the page of a release. Takes seeing it, which the caller has asked."""
    said = checked_text(text, "text")
    if not said:
        raise Invalid({"text": _("Write something first.")})
    author = authority.user_of(intent.actor)
    made = Note.objects.create(
        release=release, author=intent.actor.label, author_user=author, text=said, at=intent.at
    )
    transitions.record("noted", release, intent, words=(said,))
    return made


def _done(locked: Release, event: str, intent: Intent, **more: str) -> None:
    locked.due_at = intent.at
    locked.save()
    transitions.record(event, locked, intent, more=more)


TELL: dict[str, Callable[..., Any]] = {
    "start": start,
    "confirm": confirm,
    "pause": pause,
    "resume": resume,
    "promote": promote,
    "promote_fully": promote_fully,
    "dismiss": dismiss,
    "retry": retry,
    "jump_back": jump_back,
    "drop_cohort": drop_cohort,
    "abort": abort,
    "rollback": rollback,
    "undo": undo,
}
