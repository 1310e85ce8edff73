"""What happens to a locked release: it begins, enters a step, goes back, ends. In a transaction.

Everything that moves a release, the engine and people's commands, does it by these functions. They
store the row, its step and its history together, and move a router that lies in our database in the
same transaction. A router elsewhere is told by the next tick.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from portal.access.models import User
from portal.approvals.models import ChangeRequest
from portal.lib import journal
from portal.lib.journal import Actor, Agreed, Intent, Step
from portal.notifications import services as notifications
from releases.core import comparisons, descriptions, lockstep, pins
from releases.core.models import Release, State, StepExecution, Termination
from releases.engine.decisions import Cause
from releases.engine.plans import ReturnStrategy, Strategy
from releases.engine.steps import WHOLE, Earlier, Step as PlanStep, Work
from releases.routers import Told, Wanted, flag as flag_router, lies_outside

START = "release.start"
TICK = timedelta(seconds=5)


def engine_of(release: Release) -> Actor:
    return journal.system(f"release {release.pk} of {release.author}"[:200])


def by_itself(release: Release, why: str, at: datetime) -> Intent:
    """What a release does by itself, for those who asked for it and agreed to it."""
    agreed = Agreed(release.agreement_id, release.author, tuple(release.approved_by))
    return Intent(engine_of(release), why, at=at, agreed=agreed)


def artefact_of(release: Release) -> dict[str, str] | None:
    one = release.artefact
    return {"version": one.version, "digest": one.digest} if one else None


def record(
    event: str,
    release: Release,
    intent: Intent,
    *,
    words: tuple[str, ...] = (),
    more: Mapping[str, object] = {},
) -> None:
    after: dict[str, object] = {
        "title": release.title,
        "state": release.state,
        "step": descriptions.step_name(release, release.step),
        **more,
    }
    if words:
        after["words"] = list(words)
    intent.record(f"release.{event}", release, after=after)


def wanted_at(release: Release, number: int, *, turns_on: bool = False) -> Wanted:
    """What a step wants of the router; once everybody gets it, so do cohorts."""
    plan = release.parsed_plan
    step: PlanStep = plan.all_steps[number]
    chosen = step.work is Work.ROUTE and step.share < WHOLE
    cohorts = tuple(one for one in plan.cohorts if one not in release.dropped) if chosen else ()
    turns_on = turns_on and bool(release.router.get("turns_on"))
    return Wanted(step.share, cohorts, turns_on=turns_on)


def enter(
    release: Release, number: int, intent: Intent, *, promotion: ChangeRequest | None = None
) -> None:
    """Begin a step anew: nothing is known of it yet. Moves traffic where that is ours.

    ``promotion`` is the request by which others agreed to this step, beside its start.
    """
    if release.parsed_plan.all_steps[number].work is Work.RETIRE:
        pins.require_none(release, intent.at)
    leave(release)
    _break_off_proof(release)
    release.executions.filter(ended_at=None).update(ended_at=intent.at, outcome="left")
    release.step, release.finished = number, number - 1
    release.attempt = release.executions.filter(step=number).count() + 1
    if release.attempt > 1:
        comparisons.begin_anew(release, intent.at)
    release.entered_at, release.checks = None, {}
    begins = release.attempt == 1 and number == release.parsed_plan.first_routed
    wanted = wanted_at(release, number, turns_on=begins)
    release.wanted, release.due_at = wanted.document, intent.at
    if promotion is not None:
        release.wanted["promotion"] = promotion.pk
    StepExecution.objects.create(
        release=release,
        step=number,
        attempt=release.attempt,
        share=wanted.share,
        started_at=intent.at,
    )
    release.save()
    route(release, intent)


def _break_off_proof(release: Release) -> None:
    if "took_s" not in release.proof:
        release.proof = {}


def leave(release: Release) -> None:
    """Have whoever carries a step out from outside end what has not been said to be done."""
    if release.carrier.get("kind") != "webhook" or not release.wanted.get("asked"):
        return
    mine = release.executions.filter(step=release.step, attempt=release.attempt)
    state = mine.values_list("token", flat=True).first() or {}
    Termination.objects.get_or_create(
        release=release,
        execution=release.execution,
        defaults={"state": state, "url": release.carrier["url"]},
    )


def route(release: Release, intent: Intent) -> None:
    """Make the router do what is wanted: in this transaction where it lies in our database, else
    the next tick tells it; as it tells the deployer, at a step that is its own."""
    moves = release.present.is_routed or bool(release.wanted["back"])
    if release.router["kind"] != "flag" or not moves:
        release.wanted["asked"] = True
        release.due_at = intent.at
        release.save()
        return
    note_told(release, move_flag(release, intent), intent)


def move_flag(release: Release, intent: Intent) -> Told:
    """Set the flag that routes. Raises what saving a configuration raises."""
    flag = flag_of(release)
    assert release.before is not None
    step = Step(START, release.pk, release.step)
    why = _("release {number}, {title}").format(number=release.pk, title=release.title)
    reason = f"{intent.reason} ({why})" if intent.reason else why
    return flag_router.move(
        flag,
        release.environment,
        route=flag_router.route_of(release.router),
        wanted=Wanted.of(release.wanted),
        before=release.before,
        step=step,
        intent=replace(intent, reason=reason),
    )


def flag_of(release: Release) -> Any:
    return release.flag or release.project.flags.get(key=release.router["flag"])


def note_told(release: Release, told: Told, intent: Intent) -> None:
    """Keep what the router says, and that the step's traffic is there where it is."""
    release.told = {**told.document, "at": intent.at.isoformat()}
    wanted = Wanted.of(release.wanted)
    if told.is_as(wanted):
        release.wanted["asked"] = False
    if wanted.back or release.entered_at is not None or not told.is_as(wanted):
        release.save()
        return
    release.entered_at = intent.at
    mine = release.executions.filter(step=release.step, attempt=release.attempt)
    is_again = mine.exclude(reached_at=None).exists()  # as after the proof that it can go back
    mine.update(reached_at=intent.at)
    release.save()
    if not is_again:
        record("step_reached", release, replace(intent, reason=""))


def to_confirm(release: Release) -> dict[str, Any]:
    return {
        "cause": str(Cause.CONFIRM),
        "about": descriptions.confirm_words(release),
        "wanting": 0,
    }


def note_token(release: Release, token: Mapping[str, Any]) -> None:
    if token:
        mine = release.executions.filter(step=release.step, attempt=release.attempt)
        mine.update(token=token)


def go_back(release: Release, because: Mapping[str, Any], intent: Intent) -> None:
    """Begin to take a release back; it ends when the router says that it is back.

    ``because`` says who or what takes it back; its ``to`` is the state in which it ends.
    """
    lockstep.fail(release, intent)
    if not release.wanted.get("back"):  # else it goes on with the way back that it is on
        leave(release)
    _break_off_proof(release)
    comparisons.begin_anew(release, intent.at)  # on its way back it fails by what it still does
    release.state, release.because = State.ROLLING_BACK, dict(because)
    release.holds, release.warnings, release.paused_at = [], [], None
    release.watch_until = None
    release.clear()
    words = (descriptions.outcome_words(release),) if because.get("cause") else ()
    record("rollback_started", release, intent, words=words, more={"because": release.because})
    plan = release.parsed_plan
    gradual = plan.return_strategy is ReturnStrategy.GRADUAL and because.get("check")
    share = _next_lower(release) if gradual else 0
    if plan.strategy is Strategy.ROLLING:
        by_itself = because.get("cause") not in (None, Cause.GROUP)
        keeps = by_itself and keeps_batches(release)
        share = plan.all_steps[release.step - 1].share if keeps else 0
    _return_to(release, share, intent)


def keeps_batches(release: Release) -> bool:
    """Whether batches before the present one keep the new version when this one fails."""
    batches = release.parsed_plan.batches
    return batches is not None and batches.earlier is Earlier.KEEP and release.step > 0


def go_on_back(release: Release, intent: Intent, *, at_once: bool) -> None:
    """The next step of a gradual return; all the way where it still fails."""
    _return_to(release, 0 if at_once else _next_lower(release), intent)


def _next_lower(release: Release) -> int:
    now = int(release.told.get("share") or 0)
    lower = [share for share in release.parsed_plan.shares if share < now]
    return max(lower, default=0)


def _return_to(release: Release, share: int, intent: Intent) -> None:
    release.wanted = {**Wanted(share, back=True).document, "asked": True}
    release.due_at = intent.at
    steps = sum(1 for one in release.parsed_plan.shares if one < (share or 1)) + 1
    stays = timedelta(seconds=release.parsed_plan.return_within_s / steps)
    if share and release.parsed_plan.strategy is not Strategy.ROLLING:
        if lies_outside(release.router):  # it is told at once, and stays there so long
            release.wanted["until"] = (intent.at + stays).isoformat()
        else:
            release.due_at += stays
    release.entered_at = intent.at
    release.save()
    if release.router["kind"] == "flag":
        note_told(release, move_flag(release, intent), intent)
        if not share:
            finish_return(release, intent)
    elif release.is_by_hand:
        release.holds = [{**to_confirm(release), "since": intent.at.isoformat()}]
        release.save()


def finish_return(release: Release, intent: Intent) -> None:
    end(release, State(release.because.get("to") or State.ROLLED_BACK), intent)


def end(release: Release, state: State, intent: Intent) -> None:
    """It is over; of one that succeeded the watch goes on."""
    if state != State.SUCCEEDED:  # what that still wants is wanted for good
        lockstep.fail(release, intent)
        leave(release)
    release.state, release.ended_at, release.outcome = state, intent.at, str(state)
    release.holds, release.warnings = [], []
    release.clear()
    release.due_at, release.watch_until = None, None
    plan = release.parsed_plan
    if state == State.SUCCEEDED:
        release.outcome = "promoted_early" if release.promoted else str(state)
        if plan.watch_s:
            release.watch_until = intent.at + timedelta(seconds=plan.watch_s)
            release.due_at = intent.at + TICK
        else:
            release.due_at = pins.next_end(release)
    release.executions.filter(ended_at=None).update(ended_at=intent.at, outcome=release.outcome)
    release.save()
    record(state, release, intent, more={"because": release.because})
    if state not in (State.SUCCEEDED, State.SUPERSEDED):
        tell(release, f"ended:{state}", descriptions.outcome_words(release))


def hold(
    release: Release, holds: list[dict[str, Any]], at: datetime, *, warnings: list[dict[str, Any]]
) -> None:
    """Keep why it does not go on, each since when, and say what is new. The caller saves it."""
    known = {_known_by(one) for one in release.holds}
    found = [stamped(release, one, at) for one in holds]
    release.holds, release.warnings = found, warnings
    release.state = _state_by(release, {one["cause"] for one in holds})
    for one in found:
        # What its group waits for is said by whom that waits for.
        if _known_by(one) not in known and one["cause"] not in (Cause.PAUSED, Cause.GROUP):
            words = descriptions.hold_words(release, one)
            record("held", release, by_itself(release, "", at), words=(words,), more={"hold": one})
            tell(release, f"held:{one['cause']}:{one['about']}:{release.step}", words)


def stamped(release: Release, hold: dict[str, Any], at: datetime) -> dict[str, Any]:
    """A hold with since when it is so."""
    since = {_known_by(one): one["since"] for one in release.holds}
    return {**hold, "since": since.get(_known_by(hold)) or at.isoformat()}


def back_holds(release: Release, told: Told, at: datetime) -> list[dict[str, Any]]:
    """Why the way back does not end yet; it is tried again by itself."""
    if not told.failed:
        return []
    about = _("The way back failed and is tried again: {why}.").format(why=told.failed)
    return [stamped(release, {"cause": str(Cause.PROBLEM), "about": about, "wanting": 0}, at)]


def _known_by(hold: Mapping[str, Any]) -> tuple[str, str]:
    """By what a hold is the same as before; that for a group, whoever lags."""
    return hold["cause"], "" if hold["cause"] == Cause.GROUP else hold["about"]


def hold_for_problem(release: Release, why: str, at: datetime) -> None:
    """Keep that its last step was refused, and why; what of it was stored stays."""
    since = [one["since"] for one in release.holds if one["cause"] == Cause.PROBLEM]
    problem = {"cause": str(Cause.PROBLEM), "about": why, "wanting": 0}
    release.state, release.finished = State.HELD, release.step - 1
    release.holds = [{**problem, "since": since[0] if since else at.isoformat()}]
    release.save(update_fields=["state", "finished", "holds", "due_at"])


def _state_by(release: Release, causes: set[str]) -> State:
    if release.paused_at is not None:
        return State.PAUSED
    if causes - {Cause.GATE, Cause.CONFIRM, Cause.GROUP}:
        return State.HELD
    return State.WAITING if causes - {Cause.GROUP} else State.RUNNING


def tell(release: Release, key: str, text: str) -> None:
    """Write to who answers for it and to the owners of the service, in the site's language."""
    owners = release.service.owners if release.service else []
    to = {user.pk: user for user in User.objects.filter(username__in=owners)}
    if release.author_user:
        to[release.author_user.pk] = release.author_user
    if not to:
        return
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("[{project}] Release {number}, {title} in {place}: {state}").format(
            project=release.project.name,
            number=release.pk,
            title=release.title,
            place=release.environment.name,
            state=State(release.state).label,
        )
    path = reverse("release", args=[release.project.key, release.pk])
    body = f"{text}\n\n{settings.PORTAL_URL}{path}\n"
    notifications.notify(
        to=to.values(), key=f"release:{release.pk}:{key}", subject=subject, text=body
    )
