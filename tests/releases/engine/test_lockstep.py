"""The barrier and the way back, over any order in which members happen to be looked at."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from releases.engine import plans
from releases.engine.decisions import Action, Cause, Hold, Situation, Traffic, decide
from releases.engine.lockstep import Member, Standing, first_to_return

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEPS = 4


@dataclass
class Simulated:
    """A member that is looked at as the runner does: ``holds`` keep it for reasons of its own."""

    position: int
    plan: plans.Plan
    step: int = 0
    finished: int = -1
    standing: Standing = Standing.MOVING
    holds: bool = False
    entered_at: datetime = START
    history: list[int] = field(default_factory=list)

    @property
    def seen(self) -> Member:
        return Member(self.position, self.standing, self.finished)

    def look(self, others: list["Simulated"], at: datetime) -> Action:
        lags = any(one.seen.lags_behind(self.step) for one in others)
        now = Situation(
            self.plan,
            self.step,
            self.entered_at,
            Traffic.AS_WANTED,
            paused=self.holds,
            lags="somebody" if lags else "",
        )
        decision = decide(now, at)
        self.finished = self.step if decision.finishes else self.step - 1
        if decision.action is Action.ADVANCE:
            self.step, self.finished, self.entered_at = self.step + 1, self.step, at
        elif decision.action is Action.SUCCEED:
            self.standing = Standing.LANDED
        return decision.action


def plan_of(steps: int) -> plans.Plan:
    shares = [(number + 1) * 1000 for number in range(steps - 1)]
    return plans.canary([*shares, 100_000], soak_s=60)


groups = st.lists(st.integers(1, STEPS), min_size=2, max_size=5)
looks = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 90), st.booleans()), min_size=20, max_size=120
)


@given(groups, looks)
def test_nobody__enters_a_step_before_all_have_finished_the_one_before(
    lengths: list[int], order: list[tuple[int, int, bool]]
) -> None:
    group = [Simulated(number, plan_of(steps)) for number, steps in enumerate(lengths)]
    at = START
    for number, seconds, holds in order:
        one, at = group[number % len(group)], at + timedelta(seconds=seconds)
        others = [other for other in group if other is not one]
        if one.standing is Standing.LANDED:
            continue
        one.holds = holds
        before = [(other.finished, other.standing) for other in others]
        left = one.step
        if one.look(others, at) in (Action.ADVANCE, Action.SUCCEED):
            assert not holds
            assert all(done >= left or how is Standing.LANDED for done, how in before)
        alive = [other.step for other in group if other.standing is Standing.MOVING]
        assert max(alive, default=0) - min(alive, default=0) <= 1
    # Once nothing holds anybody they all arrive: no order of looks locks them up.
    for _round in range(3 * STEPS):
        at += timedelta(seconds=61)
        for one in group:
            one.holds = False
            if one.standing is Standing.MOVING:
                one.look([other for other in group if other is not one], at)
    assert {one.standing for one in group} == {Standing.LANDED}


def test_the_group__is_looked_at_last_of_all() -> None:
    gated = plans.canary([5_000, 100_000], soak_s=60, gate_after=5_000)
    now = Situation(gated, 0, START, Traffic.AS_WANTED, lags="others")
    later = START + timedelta(seconds=61)
    assert decide(now, START).holds == ()
    people = decide(now, later)
    assert (people.holds, people.finishes) == ((Hold(Cause.GATE),), False)
    passed = Situation(gated, 0, START, Traffic.AS_WANTED, lags="others", gate_passed=True)
    waits = decide(passed, later)
    assert (waits.action, waits.finishes) == (Action.STAY, True)
    assert waits.holds == (Hold(Cause.GROUP, "others"),)


returning = st.lists(
    st.tuples(st.sampled_from([Standing.MOVING, Standing.LANDED, Standing.AHEAD]), st.booleans()),
    min_size=2,
    max_size=6,
)


@given(returning, st.lists(st.integers(0, 5), min_size=5, max_size=60), st.integers(0, 5))
def test_the_way_back__goes_from_the_last_to_the_first_whoever_failed(
    found: list[tuple[Standing, bool]], order: list[int], failed: int
) -> None:
    group = [Member(number, how, can_return=can) for number, (how, can) in enumerate(found)]
    stay = {one.position for one in group if one.is_settled}
    failed %= len(group)
    group[failed] = Member(failed, Standing.RETURNED)
    gone: list[int] = []
    for number in [*order, *range(len(group))[::-1]]:
        me = group[number % len(group)]
        others = [one for one in group if one is not me]
        if not me.is_settled and not first_to_return(me, others):
            group[me.position] = Member(me.position, Standing.RETURNED)
            gone.append(me.position)
    assert gone == sorted(gone, reverse=True)
    assert {*gone, failed} | stay == set(range(len(group)))
