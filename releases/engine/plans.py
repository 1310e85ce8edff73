"""Plans: the ordered steps of a release, what watches it, and what to do about what is wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from portal.lib.documents import (
    Problem,
    Reader,
    checked,
    integer,
    list_of,
    name,
    read_boolean,
    read_number,
    record,
    refuse,
)
from releases.engine.checks import Check, Trouble, read_all_checks, read_checks
from releases.engine.steps import (
    DAY_S,
    WHOLE,
    Batches,
    Step,
    Work,
    choice,
    read_batches,
    read_step,
)

MOST_STEPS: Final = 50
MOST_COHORTS: Final = 20


class Strategy(StrEnum):
    CANARY = "canary"
    BLUE_GREEN = "blue_green"
    ROLLING = "rolling"
    FEATURE_FLAG = "feature_flag"
    IN_PLACE = "in_place"


class Reaction(StrEnum):
    ROLL_BACK = "roll_back"
    HOLD = "hold"
    WARN = "warn"


class InFreeze(StrEnum):
    """What becomes of a release that is under way when a freeze begins."""

    HOLD = "hold"
    RETURN = "return"
    FINISH = "finish"


class ReturnStrategy(StrEnum):
    """How traffic goes back: at once, or by the steps in reverse."""

    IMMEDIATE = "immediate"
    GRADUAL = "gradual"


_REACTIONS: Final = {
    Trouble.REGRESSION: Reaction.ROLL_BACK,
    Trouble.ERROR: Reaction.HOLD,
    Trouble.NO_DATA: Reaction.HOLD,
    Trouble.DEADLINE: Reaction.HOLD,
    Trouble.SAMPLE_RATIO: Reaction.HOLD,
    Trouble.BOTH_ARMS: Reaction.HOLD,
    Trouble.DEPLOYMENT: Reaction.ROLL_BACK,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it is carried out. Durations are seconds.

    ``cohorts`` are segments that get it before any share does. ``deadline_s`` is the longest that
    steps may take beyond what they soak, pauses not counted; 0 is none. Within ``watch_s`` after
    the last step the release can still go back. ``return_within_s`` bounds a gradual return.
    ``alpha`` bounds how often all its comparisons together fail though both versions do the same.
    """

    strategy: Strategy
    steps: tuple[Step, ...]
    cohorts: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    on: Mapping[Trouble, Reaction] = field(default_factory=lambda: _REACTIONS)
    in_freeze: InFreeze = InFreeze.HOLD
    return_strategy: ReturnStrategy = ReturnStrategy.IMMEDIATE
    return_within_s: int = 300
    watch_s: int = 3600
    deadline_s: int = 0
    proof_of_return: bool = False
    alpha: float = 0.05
    batches: Batches | None = None

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps, with that of cohorts, where there are any, before all that give a share."""
        if not self.cohorts:
            return self.steps
        first = next(n for n, step in enumerate(self.steps) if step.has_traffic)
        return (*self.steps[:first], Step(0, self.steps[first].soak_s), *self.steps[first:])

    @property
    def first(self) -> int:
        """The number of the first step with traffic, counted among all."""
        return next(n for n, step in enumerate(self.all_steps) if step.has_traffic)

    @property
    def first_routed(self) -> int:
        """The number of the first step that the router carries out; that may be the one of tagged
        requests, which gives nobody a share."""
        steps = enumerate(self.all_steps)
        return next((n for n, step in steps if step.is_routed), self.first)

    @property
    def has_tagged(self) -> bool:
        """Whether tagged requests get it before anybody else."""
        return any(step.work is Work.SYNTHETIC for step in self.steps)

    @property
    def shares(self) -> tuple[int, ...]:
        return tuple(step.share for step in self.steps if step.has_traffic)

    def checks_at(self, number: int) -> tuple[Check, ...]:
        """The checks that count at a step: smoke checks for what is deployed, and the others for
        what has traffic."""
        step = self.all_steps[number]
        if step.work is Work.RETIRE:
            return ()
        found = tuple(one for one in self.checks if one.smoke is (step.work is Work.DEPLOY))
        if most := step.minimum_requests:
            least = (min(one.minimum_requests, most) for one in found)
            pairs = zip(found, least, strict=True)
            return tuple(replace(one, minimum_requests=n) for one, n in pairs)
        return found

    @property
    def document(self) -> dict[str, Any]:
        """The plan as JSON; reading it gives the same plan."""
        batches = {} if self.batches is None else {"batches": self.batches.document}
        return {
            **batches,
            "strategy": self.strategy.value,
            "steps": [step.document for step in self.steps],
            "cohorts": list(self.cohorts),
            "checks": [check.document for check in self.checks],
            "on": {trouble.value: reaction.value for trouble, reaction in self.on.items()},
            "in_freeze": self.in_freeze.value,
            "return_strategy": self.return_strategy.value,
            "return_within_s": self.return_within_s,
            "watch_s": self.watch_s,
            "deadline_s": self.deadline_s,
            "proof_of_return": self.proof_of_return,
            "alpha": self.alpha,
        }


def canary(
    shares: Iterable[int], *, soak_s: int, gate_after: int | None = None, **rest: Any
) -> Plan:
    """A plan of these shares, each watched for ``soak_s``; people let it beyond ``gate_after``."""
    steps = tuple(Step(share, soak_s, share == gate_after) for share in shares)
    last = Step(steps[-1].share)  # what follows the last share is the watch
    return Plan(Strategy.CANARY, (*steps[:-1], last), **rest)


def feature_flag(shares: Iterable[int], *, soak_s: int, **rest: Any) -> Plan:
    """The same steps for a flag whose code is out already."""
    made = canary(shares, soak_s=soak_s, **rest)
    return Plan(Strategy.FEATURE_FLAG, made.steps, **rest)


def in_place(**rest: Any) -> Plan:
    """All at once, for what may have downtime."""
    return Plan(Strategy.IN_PLACE, (Step(WHOLE),), **rest)


def blue_green(*, smoke_s: int = 60, bake_s: int = 600, gate: bool = False, **rest: Any) -> Plan:
    """Deploy where nobody is yet, try it there, send everybody there at once, and stop what ran
    before once that has been good for ``bake_s``."""
    steps = (
        Step(0, smoke_s, gate, Work.DEPLOY),
        Step(WHOLE, bake_s),
        Step(WHOLE, work=Work.RETIRE),
    )
    return Plan(Strategy.BLUE_GREEN, steps, watch_s=0, **rest)


def rolling(instances: Sequence[str] = (), batches: Batches | None = None, **rest: Any) -> Plan:
    """Some instances at a time; without steps where nobody knows the instances yet."""
    batches = batches or Batches()
    steps = batches.steps(instances) if instances else ()
    return Plan(Strategy.ROLLING, steps, batches=batches, **rest)


def usual_plan(strategy: Strategy) -> Plan:
    """The plan of a strategy that nobody has chosen anything of."""
    whole = {
        Strategy.IN_PLACE: in_place,
        Strategy.BLUE_GREEN: blue_green,
        Strategy.ROLLING: rolling,
    }
    if strategy in whole:
        return whole[strategy]()
    build = canary if strategy is Strategy.CANARY else feature_flag
    return build((5_000, 25_000, 50_000, WHOLE), soak_s=300)


def _more_than_warned(value: object) -> Reaction:
    found: Reaction = choice(Reaction, "reaction")(value)
    if found is Reaction.WARN:
        refuse("It cannot go on without being deployed: choose hold or roll_back.")
    return found


def _read_reactions(value: object) -> Mapping[Trouble, Reaction]:
    optional: dict[str, Reader[object]] = {
        one.value: choice(Reaction, "reaction") for one in Trouble
    }
    optional[Trouble.DEPLOYMENT.value] = _more_than_warned
    found: dict[str, Reaction] = record(dict, {}, optional)(value)
    return {trouble: found.get(trouble, usual) for trouble, usual in _REACTIONS.items()}


def _check_steps(plan: Plan) -> Iterator[Problem]:
    yield from _check_works(plan)
    if plan.strategy is Strategy.ROLLING:
        yield from _check_batches(plan)
    elif plan.batches is not None or any(step.work is Work.BATCH for step in plan.steps):
        yield Problem("batches", "Only a rolling release has batches.")
    elif plan.steps:
        yield from _check_shares(plan)
    else:
        yield Problem("steps", "Give at least one.")
    keys = [check.key for check in plan.checks]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield Problem("checks", f"Give each check a key of its own; {key} is there twice.")


def _check_shares(plan: Plan) -> Iterator[Problem]:
    numbered = [(n, step) for n, step in enumerate(plan.steps) if step.has_traffic]
    for (_n, one), (place, following) in pairwise(numbered):
        if following.share <= one.share:
            yield Problem(f"steps[{place}].share", "Give a larger share than the step before.")
    last = numbered[-1] if numbered else (len(plan.steps) - 1, plan.steps[-1])
    if not last[1].has_traffic or last[1].share != WHOLE:
        yield Problem(f"steps[{last[0]}].share", "Let the last step reach 100 %.")
    is_more = len(numbered) > 1 or (plan.strategy is Strategy.IN_PLACE and plan.has_tagged)
    if plan.strategy in _AT_ONCE and is_more:
        yield Problem("steps", _AT_ONCE[plan.strategy])


_AT_ONCE: Final = {
    Strategy.IN_PLACE: "In place is one step; take a canary for more.",
    Strategy.BLUE_GREEN: "Blue-green sends everybody at once; take a canary for more steps.",
}


def _check_works(plan: Plan) -> Iterator[Problem]:
    """Where steps may stand that move no traffic."""
    works = [step.work for step in plan.steps]
    for place, work in enumerate(works):
        if work is Work.DEPLOY and place:
            yield Problem(f"steps[{place}].work", "Deploy at the first step.")
        if work is Work.SYNTHETIC and set(works[:place]) - {Work.DEPLOY}:
            message = "Let tagged requests have it once, before any share."
            yield Problem(f"steps[{place}].work", message)
        if work is Work.RETIRE and (place < len(works) - 1 or plan.strategy not in _RETIRING):
            message = "Only blue-green stops what ran before, at its last step."
            yield Problem(f"steps[{place}].work", message)
    if Work.RETIRE in works and plan.watch_s:
        message = "Once the old version is stopped it cannot come back: watch the step before."
        yield Problem("watch_s", message)


_RETIRING: Final = (Strategy.BLUE_GREEN,)


def _check_batches(plan: Plan) -> Iterator[Problem]:
    if plan.batches is None:
        yield Problem("batches", "Say how many instances are replaced at a time.")
    if any(step.work is not Work.BATCH for step in plan.steps):
        yield Problem("steps", "A rolling release has batches of instances as its steps.")
    if plan.cohorts:
        yield Problem("cohorts", "A rolling release cannot choose who gets it; take a canary.")
    if plan.proof_of_return:
        message = "A rolling release goes back batch by batch; it is not tried beforehand."
        yield Problem("proof_of_return", message)


def _plan(**found: Any) -> Plan:
    """A plan as it was written, with the shares of its batches."""
    steps: tuple[Step, ...] = found.pop("steps")
    instances = sum(len(step.instances) for step in steps)
    counted, shared = 0, []
    for step in steps:
        counted += len(step.instances)
        is_batch = step.work is Work.BATCH
        shared.append(replace(step, share=round(WHOLE * counted / instances)) if is_batch else step)
    if any(step.work is Work.RETIRE for step in steps):
        found.setdefault("watch_s", 0)
    return Plan(steps=tuple(shared), **found)


def _read_alpha(value: object) -> float:
    alpha = read_number(value)
    if not 0.0001 <= alpha <= 0.25:
        refuse("Give a share of false alarms from 0.0001 to 0.25, such as 0.05.")
    return alpha


_REQUIRED: Final[dict[str, Reader[Any]]] = {
    "strategy": choice(Strategy, "strategy"),
    "steps": list_of(read_step, most=MOST_STEPS),
}
_OPTIONAL: Final[dict[str, Reader[Any]]] = {
    "cohorts": list_of(name(100, 1), most=MOST_COHORTS),
    "checks": read_checks,
    "on": _read_reactions,
    "in_freeze": choice(InFreeze, "way"),
    "return_strategy": choice(ReturnStrategy, "way back"),
    "return_within_s": integer(0, DAY_S),
    "watch_s": integer(0, 30 * DAY_S),
    "deadline_s": integer(0, 30 * DAY_S),
    "proof_of_return": read_boolean,
    "alpha": _read_alpha,
    "batches": read_batches,
}
read_plan: Final[Reader[Plan]] = checked(record(_plan, _REQUIRED, _OPTIONAL), _check_steps)
"""Reads a plan from JSON. Raises DocumentError with every problem."""
read_frozen_plan: Final[Reader[Plan]] = checked(
    record(_plan, _REQUIRED, {**_OPTIONAL, "checks": read_all_checks}), _check_steps
)
"""Reads the plan of a release, which has the checks of its service and of policies as well."""
