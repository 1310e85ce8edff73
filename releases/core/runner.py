"""Ticks: what a release does by itself.

Every few seconds a release that has traffic is looked at: its checks are measured while nothing is
locked, and one transaction decides by what is true then and does it (releases.engine.decisions has
the order). A release that waits, rests or is held is judged on like any other; only going on stops.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from flags.delivery.exposures import Exposures
from portal.approvals.errors import EmergencyRunning, Waiting
from portal.approvals.freezes.selectors import Frozen
from portal.lib import clock
from portal.lib.errors import AviaryError
from portal.lib.journal import Intent
from portal.runs.failpoints import failpoint
from portal.runs.runner import Runner, for_each
from releases.checks import Found, measure
from releases.core import (
    command_rules,
    comparisons,
    exposures,
    group_ticks,
    lockstep,
    outside_routers,
    outside_work,
    pins,
    rollback_proof,
    situation,
    starting,
    transitions,
    unpinning,
)
from releases.core.models import GOING_UP, Release, State
from releases.core.transitions import TICK, by_itself
from releases.engine.decisions import Action, Cause, Decision, Seen, decide
from releases.engine.plans import Strategy
from releases.routers import Told, Wanted, lies_outside


@dataclass(frozen=True, slots=True)
class Answer:
    step: int
    attempt: int
    at: datetime
    found: Found = field(default_factory=Found)
    told: Told | None = None
    token: Mapping[str, Any] = field(default_factory=dict)
    may_move: bool = True
    live: bool = True
    exposed: Exposures | None = None


HANGS_S = 3.0
"""What keeps its look waiting for so long hangs: until it is quicker it is looked at apart."""
_HANGING: set[int] = set()


def tick_due() -> int:
    """Look at the releases that are due, but for those that hang; returns how many those were."""
    return ReleaseRunner().look()


def tick_hanging() -> int:
    """Look at the releases that are due whose far ends kept the last look of this process waiting:
    however many those are, no other release waits for them."""
    return ReleaseRunner(hanging=True).look()


def judge_soon(stored: Iterable[tuple[int, str, str]]) -> None:
    """Outcomes came, of these: environment, ``service`` or ``flag``, its key. What they are about
    is looked at next, and does not wait for its time."""
    names: dict[tuple[int, str], set[str]] = {}
    for environment_id, about, key in stored:
        names.setdefault((environment_id, about), set()).add(key)
    at = clock.database_now()
    for (environment_id, about), keys in names.items():
        later = Release.objects.filter(environment_id=environment_id, due_at__gt=at)
        later = later.exclude(state=State.PLANNED)
        later.filter(**{f"{about}__key__in": keys}).update(due_at=at)


def judge_alerts_soon(environment_id: int) -> None:
    """Alerts began or ended in an environment."""
    at = clock.database_now()
    later = Release.objects.filter(environment_id=environment_id, due_at__gt=at)
    later.exclude(state=State.PLANNED).update(due_at=at)


def look_soon(environment_ids: Collection[int], **_signal: object) -> None:
    """Something was changed in environments: maybe a flag by which a release routes there."""
    at = clock.database_now()
    later = Release.objects.filter(environment_id__in=environment_ids, due_at__gt=at)
    if later.exists():  # mostly not, and this is asked at every change of a flag
        later.filter(router__kind="flag").exclude(state=State.PLANNED).update(due_at=at)


class ReleaseRunner(Runner[Release]):
    holding = (Frozen, EmergencyRunning, Waiting)
    gives_up = False
    delays = (TICK, 2 * TICK, 4 * TICK)

    def __init__(self, *, hanging: bool = False) -> None:
        self.hanging = hanging

    def due(self, at: datetime) -> QuerySet[Release]:
        return Release.objects.filter(due_at__lte=at).order_by("due_at", "pk")

    def find(self, at: datetime) -> list[Release]:
        """With all that measuring reads of each. Mostly none is due: that is a small question."""
        due = self.free(at).values_list("pk", flat=True) if _HANGING or not self.hanging else ()
        mine = [pk for pk in due if (pk in _HANGING) is self.hanging]
        if not mine:
            return []
        around = ("project", "environment", "service", "flag", "artefact", "stable")
        rows = Release.objects.filter(pk__in=mine).select_related(*around)
        found = list(rows.order_by("due_at", "pk"))
        for one in found:
            one.environment.project = one.project
        return found

    def lock(self, seen: Release) -> Release:
        """All that decides about it, where it may be moved now; else its row alone."""
        return command_rules.lock_release(seen) if seen.may_move else _lock_row(seen)

    def look(self) -> int:
        """Those that ask over the network do so at the same time, lest one holds up the others."""
        due = self.find(clock.database_now())
        slow = [one for one in due if _asks(one)]
        done = for_each([one for one in due if not _asks(one)], self.attempt)
        if len(slow) < 2:
            return done + for_each(slow, self.attempt)
        with ThreadPoolExecutor(max_workers=16 if self.hanging else 8) as pool:
            return done + sum(pool.map(self._attempt_apart, slow))

    def _attempt_apart(self, seen: Release) -> int:
        """In a thread, with a connection of its own."""
        try:
            return for_each([seen], self.attempt)
        finally:
            connection.close()

    def call(self, work: Release) -> Answer:
        began = time.monotonic()
        answer = self._ask(work)
        (_HANGING.add if time.monotonic() - began >= HANGS_S else _HANGING.discard)(work.pk)
        return answer

    def _ask(self, work: Release) -> Answer:
        at, found = clock.database_now(), Found()
        told, token = (None, {}) if work.state == State.PLANNED else outside_work.ask(work)
        if work.entered_at is not None and not _only_goes_back(work):
            failpoint("before-measuring")
            found = measure(
                work.parsed_plan.checks_at(work.step),
                situation.subject_of(work),
                since=work.entered_at,
                at=at,
                states=work.checks,
                comparing=comparisons.comparing_of(work, at),
            )
            failpoint("after-measuring")
        live = rollback_proof.is_live(work)
        is_lost = told is not None and not told.is_as(Wanted.of(work.wanted))
        work.may_move = is_lost or situation.may_move(work, found, at)
        exposed = exposures.ask(work) if work.entered_at is not None else None
        return Answer(work.step, work.attempt, at, found, told, token, work.may_move, live, exposed)

    def carry_out(self, work: Release, at: datetime, answer: object) -> None:
        assert isinstance(answer, Answer)
        kept = {name: getattr(work, name) for name in ("problem", "held_at", "failures")}
        try:
            self._tick(work, at, answer)
        except AviaryError as error:
            for name, value in kept.items():
                setattr(work, name, value)
            if work.state in GOING_UP:
                transitions.hold_for_problem(work, str(error), at)
            raise

    def _tick(self, work: Release, at: datetime, answer: Answer) -> None:
        work.clear()
        if work.state == State.PLANNED:
            group_ticks.begin(work, at)
        elif (work.step, work.attempt) != (answer.step, answer.attempt):
            work.due_at = at  # it was moved meanwhile: measured anew at once
            work.save()
        else:
            self._go_by(work, at, answer)

    def _go_by(self, work: Release, at: datetime, answer: Answer) -> None:
        seen: list[Seen] = []
        if work.entered_at is not None:
            seen = list(situation.judged(work, answer.found, answer.at).values())
        told = situation.told_of(work, answer.told)
        if outside_routers.note_before(work, told, answer.token):
            return
        exposures.note(work, told, answer.exposed)
        transitions.note_token(work, answer.token)
        outside_routers.note_strayed(work, told, at)
        back = lockstep.way_back(work)
        proves = work.state in GOING_UP and answer.may_move and back is None
        if proves and rollback_proof.prove(work, told, by_itself(work, "", at), live=answer.live):
            return
        decision = decide(situation.situation_of(work, seen, told, at), at)
        work.due_at = situation.next_look(work, decision, at)
        if not answer.may_move and (back or _moves(work, decision)):
            work.due_at = at  # what has just happened moves it: looked at with all locks
            work.save()
        elif back is not None and decision.action is not Action.ROLL_BACK:
            group_ticks.take_back(work, back, by_itself(work, "", at))
        else:
            _act(work, decision, told, at, may_move=answer.may_move)

    def tell(self, work: Release, event: str, why: str) -> None:
        at = clock.database_now()
        transitions.record(event, work, by_itself(work, why, at), words=(why,))


def _unpins(release: Release, decision: Decision, told: Told, at: datetime) -> bool:
    """Whether this look ends pins whose time is over, and does no more."""
    if decision.action not in (Action.STAY, Action.ADVANCE, Action.SUCCEED):
        return False
    if not unpinning.end_due(release, told, by_itself(release, "", at)):
        return False
    release.due_at = at
    release.save()
    return True


def _moves(release: Release, decision: Decision) -> bool:
    """Whether a decision moves traffic, or lets others of its group move it: of one that succeeded,
    only going back does."""
    if release.state == State.SUCCEEDED:
        return decision.action is Action.ROLL_BACK
    return decision.action is not Action.STAY or decision.finishes


def _lock_row(seen: Release) -> Release:
    locked = Release.objects.select_for_update(no_key=True).get(pk=seen.pk)
    for name in ("project", "environment", "service", "flag", "artefact", "stable"):
        if getattr(locked, f"{name}_id") == getattr(seen, f"{name}_id"):
            setattr(locked, name, getattr(seen, name))
    return locked


def _only_goes_back(release: Release) -> bool:
    """Whether nothing is left to judge: it goes back already, all at once."""
    return release.state == State.ROLLING_BACK and not release.wanted.get("share")


def _asks(release: Release) -> bool:
    if lies_outside(release.router) or release.deployer.get("kind") == "webhook":
        return True
    return any("url" in check for check in release.plan["checks"])


def _act(release: Release, decision: Decision, told: Told, at: datetime, *, may_move: bool) -> None:
    if may_move and _unpins(release, decision, told, at):
        return
    if release.state == State.ROLLING_BACK:
        _go_on_back(release, decision, told, at)
    elif release.state == State.SUCCEEDED:
        _watch(release, decision, told, at)
    elif decision.action is Action.ROLL_BACK:
        _take_back(release, decision, at)
    else:
        _go_on(release, decision, told, at)


def _go_on(release: Release, decision: Decision, told: Told, at: datetime) -> None:
    release.finished = release.step if decision.finishes else release.step - 1
    holds = [_stored(one) for one in decision.holds]
    if decision.action is Action.ROUTE and release.is_by_hand:
        holds.append(transitions.to_confirm(release))
    transitions.hold(release, holds, at, warnings=[_stored(one) for one in decision.warnings])
    intent = by_itself(release, "", at)
    if release.router["kind"] != "flag" or not release.present.is_routed:
        transitions.note_told(release, told, intent)
    if decision.action is Action.ROUTE:
        if not release.is_by_hand:
            transitions.route(release, intent)
    elif decision.finishes:
        _finish_step(release, decision, told, intent)
    else:
        transitions.note_told(release, told, intent)


def _finish_step(release: Release, decision: Decision, told: Told, intent: Intent) -> None:
    """Leave a step that is finished, unless its group has not come as far: that goes by it, so it
    is asked even then whether it may go on."""
    is_last = release.step + 1 == len(release.parsed_plan.all_steps)
    passed = None if is_last else starting.require_going_on(release, intent)
    if decision.action is Action.ADVANCE:
        transitions.enter(release, release.step + 1, intent, promotion=passed)
    elif decision.action is Action.SUCCEED:
        transitions.end(release, State.SUCCEEDED, intent)
    else:
        transitions.note_told(release, told, intent)
        return
    if release.group_id:
        lockstep.wake(release, intent.at)


def _watch(release: Release, decision: Decision, told: Told, at: datetime) -> None:
    """One that succeeded: it goes back where a guardrail fails, until its watch is over; what a
    router outside has lost is set again."""
    intent = by_itself(release, "", at)
    if decision.action is Action.ROLL_BACK:
        _take_back(release, decision, at)
        return
    if not release.is_watched(at):
        release.due_at = pins.next_end(release)
    elif lies_outside(release.router):
        transitions.note_told(release, told, intent)
        if decision.action is Action.ROUTE:
            transitions.route(release, intent)
    release.save()


def _go_on_back(release: Release, decision: Decision, told: Told, at: datetime) -> None:
    """It returns, by steps or all at once: that where the check still fails."""
    intent = by_itself(release, "", at)
    if release.router["kind"] != "flag":
        if not release.is_by_hand:
            release.holds = transitions.back_holds(release, told, at)
        transitions.note_told(release, told, intent)
        wanted = Wanted.of(release.wanted)
        rolls = release.parsed_plan.strategy is Strategy.ROLLING
        if not (told.is_as(wanted) if rolls else told.is_back_to(wanted)):
            return  # it is asked again at every tick, until it says that it is back
        if rolls or not release.wanted["share"]:
            transitions.finish_return(release, intent)
            return
        until = release.wanted.get("until")
        if until and at < datetime.fromisoformat(until):
            return
    transitions.go_on_back(release, intent, at_once=decision.action is Action.ROLL_BACK)


def _take_back(release: Release, decision: Decision, at: datetime) -> None:
    why = decision.because
    assert why is not None
    to = State.FAILED if transitions.keeps_batches(release) else State.ROLLED_BACK
    because: dict[str, Any] = {"cause": str(why.cause), "about": why.about, "to": to}
    checks = {one.key: one for one in release.parsed_plan.checks}
    if why.cause is not Cause.FREEZE and why.about in checks:
        state = release.checks.get(why.about, {})
        numbers = {
            name: state.get(name) for name in ("value", "requests", "errors", "numbers", "detail")
        }
        because |= {"check": why.about, "threshold": checks[why.about].threshold, **numbers}
    transitions.go_back(release, because, by_itself(release, "", at))


def _stored(one: Any) -> dict[str, Any]:
    return {"cause": str(one.cause), "about": one.about, "wanting": one.wanting}
