"""What becomes of a release at a tick: in the fixed order, and never forward for want of data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from releases.engine import plans
from releases.engine.checks import Check, Kind, Role, Trouble
from releases.engine.decisions import (
    Action,
    Cause,
    Decision,
    Hold,
    Seen,
    Situation,
    Traffic,
    decide,
)
from releases.engine.plans import InFreeze, Reaction
from releases.engine.verdicts import Judgement, Verdict

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHECK = Check(key="errors", kind=Kind.ERROR_RATE, threshold=5)
PLAN = plans.canary([5_000, 25_000, 100_000], soak_s=60, checks=(CHECK,))
PASSED, FAILED = Judgement(Verdict.PASSED, 1.0, 500), Judgement(Verdict.FAILED, 9.0, 500, 45)
NOTHING = Judgement(Verdict.NO_DATA, wanting=100)
BROKEN = Judgement(Verdict.ERROR)


BACK = Decision(Action.ROLL_BACK, because=Hold(Cause.REGRESSION, "errors"))


def seen(judgement: Judgement, check: Check = CHECK, **fields: Any) -> Seen:
    failed = judgement.verdict is Verdict.FAILED
    return Seen(check, judgement, **{"failures": int(failed), **fields})


def situation(judgement: Judgement = PASSED, **fields: Any) -> Situation:
    """In the middle of the first step, all well."""
    usual: dict[str, Any] = {
        "plan": PLAN,
        "step": 0,
        "entered_at": START,
        "traffic": Traffic.AS_WANTED,
        "seen": (seen(judgement),),
    }
    return Situation(**(usual | fields))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def with_plan(**fields: Any) -> plans.Plan:
    return replace(PLAN, **fields)


def on(trouble: Trouble, reaction: Reaction) -> plans.Plan:
    return with_plan(on={**PLAN.on, trouble: reaction})


@pytest.mark.parametrize(
    ("now", "seconds", "wanted"),
    [
        (situation(), 59, Decision(Action.STAY)),
        (situation(), 60, Decision(Action.ADVANCE)),
        (situation(step=2), 60, Decision(Action.SUCCEED)),
        (situation(entered_at=None), 600, Decision(Action.STAY)),
        (
            situation(FAILED),
            1,
            BACK,
        ),
        (
            situation(FAILED, paused=True),
            1,
            BACK,
        ),
        (
            situation(FAILED, frozen="Easter", traffic=Traffic.FOREIGN),
            1,
            BACK,
        ),
        (
            situation(NOTHING),
            60,
            Decision(Action.STAY, (Hold(Cause.NO_DATA, "errors", 100),)),
        ),
        (situation(NOTHING), 59, Decision(Action.STAY)),
        (
            situation(BROKEN),
            1,
            Decision(Action.STAY, (Hold(Cause.CHECK_ERROR, "errors"),)),
        ),
        (situation(traffic=Traffic.LOST), 60, Decision(Action.ROUTE)),
        (situation(traffic=Traffic.NOT_YET, entered_at=None), 1, Decision(Action.ROUTE)),
        (
            situation(traffic=Traffic.FOREIGN, about_traffic="bob"),
            60,
            Decision(Action.STAY, (Hold(Cause.FOREIGN, "bob"),)),
        ),
        (
            situation(frozen="Easter"),
            60,
            Decision(Action.STAY, (Hold(Cause.FREEZE, "Easter"),)),
        ),
        (situation(frozen="Easter", step=2), 60, Decision(Action.SUCCEED)),
        (
            situation(frozen="Easter", plan=with_plan(in_freeze=InFreeze.RETURN)),
            1,
            Decision(Action.ROLL_BACK, because=Hold(Cause.FREEZE, "Easter")),
        ),
        (
            situation(frozen="Easter", plan=with_plan(in_freeze=InFreeze.FINISH)),
            60,
            Decision(Action.ADVANCE),
        ),
        (situation(stopped="INC-7"), 60, Decision(Action.STAY, (Hold(Cause.STOPPED, "INC-7"),))),
        (situation(paused=True), 60, Decision(Action.STAY, (Hold(Cause.PAUSED),))),
        (
            situation(plan=with_plan(deadline_s=100), worked_s=101),
            60,
            Decision(Action.STAY, (Hold(Cause.DEADLINE),)),
        ),
        (
            situation(NOTHING, plan=on(Trouble.NO_DATA, Reaction.ROLL_BACK)),
            60,
            Decision(Action.ROLL_BACK, because=Hold(Cause.NO_DATA, "errors", 100)),
        ),
        (
            situation(NOTHING, plan=on(Trouble.NO_DATA, Reaction.WARN)),
            60,
            Decision(Action.ADVANCE, warnings=(Hold(Cause.NO_DATA, "errors", 100),)),
        ),
        (
            situation(FAILED, plan=on(Trouble.REGRESSION, Reaction.HOLD)),
            60,
            Decision(Action.STAY, (Hold(Cause.REGRESSION, "errors"),)),
        ),
        (
            situation(FAILED, plan=on(Trouble.REGRESSION, Reaction.WARN)),
            60,
            Decision(Action.ADVANCE, warnings=(Hold(Cause.REGRESSION, "errors"),)),
        ),
        (
            situation(of_users=(Trouble.SAMPLE_RATIO, Trouble.BOTH_ARMS)),
            60,
            Decision(Action.STAY, (Hold(Cause.SAMPLE_RATIO), Hold(Cause.BOTH_ARMS))),
        ),
        (
            situation(
                of_users=(Trouble.BOTH_ARMS,), plan=on(Trouble.BOTH_ARMS, Reaction.ROLL_BACK)
            ),
            1,
            Decision(Action.ROLL_BACK, because=Hold(Cause.BOTH_ARMS)),
        ),
        (
            situation(
                of_users=(Trouble.SAMPLE_RATIO,), plan=on(Trouble.SAMPLE_RATIO, Reaction.WARN)
            ),
            60,
            Decision(Action.ADVANCE, warnings=(Hold(Cause.SAMPLE_RATIO),)),
        ),
    ],
)
def test_decide__in_a_situation__does_this(
    now: Situation, seconds: float, wanted: Decision
) -> None:
    assert decide(now, at(seconds)) == wanted


def test_a_gate__is_asked_last_and_once_people_let_it_go_on_it_goes_on() -> None:
    plan = plans.canary([5_000, 100_000], soak_s=60, gate_after=5_000, checks=(CHECK,))
    assert decide(situation(plan=plan), at(60)).holds == (Hold(Cause.GATE),)
    waiting = situation(NOTHING, plan=plan)
    assert decide(waiting, at(60)).holds == (Hold(Cause.NO_DATA, "errors", 100),)
    assert decide(situation(plan=plan, gate_passed=True), at(60)).action is Action.ADVANCE


def test_signals_and_dry_runs__never_take_it_back() -> None:
    signal, dry = replace(CHECK, role=Role.SIGNAL), replace(CHECK, role=Role.DRY_RUN)
    held = decide(situation(seen=(seen(FAILED, signal),)), at(60))
    assert held == Decision(Action.STAY, (Hold(Cause.REGRESSION, "errors"),))
    for judgement in (FAILED, NOTHING, BROKEN):
        assert decide(situation(seen=(seen(judgement, dry),)), at(60)).action is Action.ADVANCE


def test_a_limit_of_three__trips_at_the_third_failure_in_a_row() -> None:
    patient = replace(CHECK, failures=3)
    for failures, action in ((1, Action.ADVANCE), (2, Action.ADVANCE), (3, Action.ROLL_BACK)):
        now = situation(seen=(seen(FAILED, patient, failures=failures),))
        assert decide(now, at(60)).action is action


def test_a_regression_set_aside__does_not_take_it_back() -> None:
    now = situation(seen=(seen(FAILED, dismissed=True),))
    assert decide(now, at(60)).action is Action.ADVANCE


situations = st.builds(
    situation,
    st.sampled_from([PASSED, FAILED, NOTHING, BROKEN]),
    step=st.integers(0, 2),
    entered_at=st.sampled_from([None, START]),
    traffic=st.sampled_from(Traffic),
    paused=st.booleans(),
    frozen=st.sampled_from(["", "Easter"]),
    stopped=st.sampled_from(["", "INC-7"]),
    plan=st.builds(
        lambda reactions, freeze: with_plan(on=reactions, in_freeze=freeze),
        st.fixed_dictionaries(dict.fromkeys(Trouble, st.sampled_from(Reaction))),
        st.sampled_from(InFreeze),
    ),
)


@given(situations, st.integers(0, 200))
def test_decide__whatever_is_wrong__goes_on_only_where_nothing_holds_it(
    now: Situation, seconds: int
) -> None:
    decision = decide(now, at(seconds))
    if decision.action in (Action.ADVANCE, Action.SUCCEED):
        assert not decision.holds
        assert now.traffic is Traffic.AS_WANTED
        assert not now.paused
        assert now.entered_at is not None
        assert seconds >= now.plan.all_steps[now.step].soak_s
        assert not (now.stopped and decision.action is Action.ADVANCE)
    failed = now.seen[0].judgement is FAILED
    if failed and now.plan.on[Trouble.REGRESSION] is Reaction.ROLL_BACK:
        assert decision.action is Action.ROLL_BACK
