"""What becomes of a release at one tick: one pure function of what is known at that instant.

The order is fixed. First what was measured: a guardrail that fails takes the release back before
anything else is looked at. Then the deadline, the minimum of data, the soak, the freeze; people's
agreement comes last, so that nobody is asked about what could not go on anyway. Only its group is
waited for after that: who waits for no more has finished its step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from releases.engine.checks import Check, Role, Trouble
from releases.engine.plans import InFreeze, Plan, Reaction
from releases.engine.steps import Work
from releases.engine.verdicts import Judgement, Verdict

SETTLES: Final = timedelta(seconds=30)
"""How long after a step's traffic is there it may take until something is counted of it."""


class Cause(StrEnum):
    REGRESSION = "regression"
    NO_DATA = "no_data"
    CHECK_ERROR = "check_error"
    DEADLINE = "deadline"
    FOREIGN = "foreign"
    ROUTER_AWAY = "router_away"
    SAMPLE_RATIO = "sample_ratio"
    BOTH_ARMS = "both_arms"
    FREEZE = "freeze"
    STOPPED = "stopped"
    GATE = "gate"
    CONFIRM = "confirm"
    PAUSED = "paused"
    NOT_BEFORE = "not_before"
    PROBLEM = "problem"
    DEPLOYMENT = "deployment"
    DEPLOYER_AWAY = "deployer_away"
    FLOOR = "floor"
    GROUP = "group"


class Action(StrEnum):
    STAY = "stay"
    ROUTE = "route"
    ADVANCE = "advance"
    ROLL_BACK = "roll_back"
    SUCCEED = "succeed"


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason not to go on. ``about`` is the check, freeze or value it comes from, ``wanting``
    how many requests more it takes where it is for want of data."""

    cause: Cause
    about: str = ""
    wanting: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A check with what it said at this tick, and how often it has failed in a row, this included.

    ``dismissed`` where a person has set its present failure aside.
    """

    check: Check
    judgement: Judgement
    failures: int = 0
    dismissed: bool = False

    @property
    def fails(self) -> bool:
        failed = self.judgement.verdict is Verdict.FAILED
        return failed and self.failures >= self.check.failures and not self.dismissed


class Traffic(StrEnum):
    """What whoever carries out a step says of it: mostly a router, of traffic; of other steps the
    deployer, of its work."""

    AS_WANTED = "as_wanted"
    NOT_YET = "not_yet"
    LOST = "lost"
    FOREIGN = "foreign"
    AWAY = "away"
    FAILED = "failed"
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a tick decides by. ``entered_at`` is when the present step's traffic was there, with
    pauses left out; ``worked_s`` how long its steps have taken so far without pauses and soaks.
    ``about_traffic`` says what is the matter with it.

    ``gate_passed`` says whether people let it go on; ``frozen`` and ``stopped`` name what forbids
    raising any share now; ``of_users`` is what is wrong with who is sent where. ``lags`` says which
    of its group have not come as far.
    """

    plan: Plan
    step: int
    entered_at: datetime | None
    traffic: Traffic
    seen: Sequence[Seen] = ()
    worked_s: float = 0.0
    paused: bool = False
    gate_passed: bool = False
    frozen: str = ""
    stopped: str = ""
    about_traffic: str = ""
    of_users: Sequence[Trouble] = ()
    lags: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why not more. ``because`` is the trouble that takes it back."""

    action: Action
    holds: tuple[Hold, ...] = ()
    because: Hold | None = None
    warnings: tuple[Hold, ...] = ()

    @property
    def finishes(self) -> bool:
        """Whether its step is finished: it goes on, or would but for its group."""
        goes_on = self.action in (Action.ADVANCE, Action.SUCCEED)
        return goes_on or any(one.cause is Cause.GROUP for one in self.holds)


def decide(now: Situation, at: datetime) -> Decision:
    """What becomes of a release at an instant."""
    soaked = _has_soaked(now, at)
    unmeasured = _unmeasured(now) if soaked else []
    # What was only just reached may still be silent: it waits, and is not called held for that.
    settles = now.entered_at is not None and at < now.entered_at + SETTLES
    troubles = [*_troubles(now), *(() if settles else unmeasured)]
    because = _takes_back(now, troubles)
    if because:
        return Decision(Action.ROLL_BACK, because=because)
    warnings = tuple(
        one.hold
        for one in troubles
        if now.plan.on[one.kind] is Reaction.WARN and one.kind is not Trouble.DEPLOYMENT
    )
    holds = [one.hold for one in troubles if one.hold not in warnings] + _of_traffic(now)
    if now.paused:
        holds.append(Hold(Cause.PAUSED))
    if now.traffic is Traffic.LOST:
        return Decision(Action.ROUTE, tuple(holds), warnings=warnings)
    if now.traffic is Traffic.NOT_YET:
        holds += _forbidden(now)
        action = Action.STAY if holds else Action.ROUTE
        return Decision(action, tuple(holds), warnings=warnings)
    ends = now.step == len(now.plan.all_steps) - 1
    if soaked and not ends:
        holds += _forbidden(now) or ([] if holds else _of_people(now))
    waits = settles and any(now.plan.on[one.kind] is not Reaction.WARN for one in unmeasured)
    if holds or waits or not soaked:
        return Decision(Action.STAY, tuple(holds), warnings=warnings)
    if now.lags:
        return Decision(Action.STAY, (Hold(Cause.GROUP, now.lags),), warnings=warnings)
    return Decision(Action.SUCCEED if ends else Action.ADVANCE, warnings=warnings)


@dataclass(frozen=True, slots=True)
class _Found:
    """A trouble as a reason to hold, and what its check may do."""

    kind: Trouble
    hold: Hold
    role: Role = Role.GUARDRAIL


def _troubles(now: Situation) -> list[_Found]:
    found = []
    for seen in _counting(now):
        if seen.fails:
            hold = Hold(Cause.REGRESSION, seen.check.key)
            found.append(_Found(Trouble.REGRESSION, hold, seen.check.role))
        elif seen.judgement.verdict is Verdict.ERROR:
            hold = Hold(Cause.CHECK_ERROR, seen.check.key)
            found.append(_Found(Trouble.ERROR, hold, seen.check.role))
    if now.traffic is Traffic.FAILED:
        found.append(_Found(Trouble.DEPLOYMENT, Hold(Cause.DEPLOYMENT, now.about_traffic)))
    if now.plan.deadline_s and now.worked_s > now.plan.deadline_s:
        found.append(_Found(Trouble.DEADLINE, Hold(Cause.DEADLINE)))
    found += [_Found(trouble, Hold(Cause(trouble.value))) for trouble in now.of_users]
    return found


def _unmeasured(now: Situation) -> list[_Found]:
    """What has not said yet that all is well. No data is never a pass."""
    return [
        _Found(
            Trouble.NO_DATA,
            Hold(Cause.NO_DATA, seen.check.key, seen.judgement.wanting),
            seen.check.role,
        )
        for seen in _counting(now)
        if seen.judgement.verdict in (Verdict.NO_DATA, Verdict.INCONCLUSIVE)
    ]


def _counting(now: Situation) -> list[Seen]:
    return [seen for seen in now.seen if seen.check.role is not Role.DRY_RUN]


def _takes_back(now: Situation, troubles: Sequence[_Found]) -> Hold | None:
    if now.plan.all_steps[now.step].work is Work.RETIRE:
        return None  # what it would go back to is being stopped
    for one in troubles:
        wanted = now.plan.on[one.kind] is Reaction.ROLL_BACK
        if wanted and one.role is Role.GUARDRAIL:
            return one.hold
    returns = now.frozen and now.plan.in_freeze is InFreeze.RETURN
    return Hold(Cause.FREEZE, now.frozen) if returns else None


def _of_people(now: Situation) -> list[Hold]:
    gate = now.plan.all_steps[now.step].gate and not now.gate_passed
    return [Hold(Cause.GATE)] if gate else []


def _of_traffic(now: Situation) -> list[Hold]:
    deploys = not now.plan.all_steps[now.step].is_routed
    away = Cause.DEPLOYER_AWAY if deploys else Cause.ROUTER_AWAY
    causes = {Traffic.FOREIGN: Cause.FOREIGN, Traffic.AWAY: away, Traffic.WAITS: Cause.FLOOR}
    cause = causes.get(now.traffic)
    return [Hold(cause, now.about_traffic)] if cause else []


def _has_soaked(now: Situation, at: datetime) -> bool:
    if now.entered_at is None:
        return False
    return at >= now.entered_at + timedelta(seconds=now.plan.all_steps[now.step].soak_s)


def _forbidden(now: Situation) -> list[Hold]:
    found = [Hold(Cause.STOPPED, now.stopped)] if now.stopped else []
    if now.frozen and now.plan.in_freeze is InFreeze.HOLD:
        found.append(Hold(Cause.FREEZE, now.frozen))
    return found
