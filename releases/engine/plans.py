"""Plans: the ordered steps of a release, what watches it, and what to do about what is wrong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
    one_of,
    read_boolean,
    read_number,
    read_percentage,
    record,
    refuse,
)
from releases.engine.checks import Check, Trouble, read_all_checks, read_checks

WHOLE: Final = 100_000
"""All traffic, in thousandths of a percent."""
MOST_STEPS: Final = 50
MOST_COHORTS: Final = 20
DAY_S: Final = 86_400


class Strategy(StrEnum):
    CANARY = "canary"
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


@dataclass(frozen=True, slots=True)
class Step:
    """One step: the share that is to get the new version (thousandths of a percent), how long it
    is watched there, and whether people have to let it go on.

    The step of the *cohorts* has the share 0.
    """

    share: int
    soak_s: int = 0
    gate: bool = False

    @property
    def document(self) -> dict[str, Any]:
        return {"share": self.share / 1000, "soak_s": self.soak_s, "gate": self.gate}


_REACTIONS: Final = {
    Trouble.REGRESSION: Reaction.ROLL_BACK,
    Trouble.ERROR: Reaction.HOLD,
    Trouble.NO_DATA: Reaction.HOLD,
    Trouble.DEADLINE: Reaction.HOLD,
    Trouble.SAMPLE_RATIO: Reaction.HOLD,
    Trouble.BOTH_ARMS: Reaction.HOLD,
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

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """The steps with that of the cohorts in front, where there are any."""
        return (Step(0, self.steps[0].soak_s), *self.steps) if self.cohorts else self.steps

    @property
    def document(self) -> dict[str, Any]:
        """The plan as JSON; reading it gives the same plan."""
        return {
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


def usual_plan(strategy: Strategy) -> Plan:
    """The plan of a strategy that nobody has chosen anything of."""
    if strategy is Strategy.IN_PLACE:
        return in_place()
    build = canary if strategy is Strategy.CANARY else feature_flag
    return build((5_000, 25_000, 50_000, WHOLE), soak_s=300)


def linear(first: int, count: int) -> list[int]:
    """``count`` shares at equal distances from ``first`` to all."""
    return [first + round((WHOLE - first) * n / (count - 1)) for n in range(count)]


def exponential(first: int, count: int) -> list[int]:
    """``count`` shares from ``first`` to all, each larger than the last by the same factor."""
    factor = (WHOLE / first) ** (1 / (count - 1))
    return [round(first * factor**n) for n in range(count - 1)] + [WHOLE]


CURVES: Final = {"linear": linear, "exponential": exponential}


def choice(kind: type[StrEnum], what: str) -> Reader[Any]:
    """One of the words of an enum, as its member; ``what`` names such a thing in the problem."""
    read = one_of([member.value for member in kind], what)
    return lambda value: kind(read(value))


def _read_reactions(value: object) -> Mapping[Trouble, Reaction]:
    optional: dict[str, Reader[object]] = {
        one.value: choice(Reaction, "reaction") for one in Trouble
    }
    found: dict[str, Reaction] = record(dict, {}, optional)(value)
    return {trouble: found.get(trouble, usual) for trouble, usual in _REACTIONS.items()}


def _check_steps(plan: Plan) -> Iterator[Problem]:
    for place, (one, following) in enumerate(pairwise(plan.steps), start=1):
        if following.share <= one.share:
            yield Problem(f"steps[{place}].share", "Give a larger share than the step before.")
    if plan.steps[-1].share != WHOLE:
        yield Problem(f"steps[{len(plan.steps) - 1}].share", "Let the last step reach 100 %.")
    if plan.strategy is Strategy.IN_PLACE and len(plan.steps) > 1:
        yield Problem("steps", "In place is one step; take a canary for more.")
    keys = [check.key for check in plan.checks]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield Problem("checks", f"Give each check a key of its own; {key} is there twice.")


def _read_share(value: object) -> int:
    share = read_percentage(value)
    if share == 0:
        refuse("Give a share above 0 %; cohorts come first by themselves.")
    return share


def _read_alpha(value: object) -> float:
    alpha = read_number(value)
    if not 0.0001 <= alpha <= 0.25:
        refuse("Give a share of false alarms from 0.0001 to 0.25, such as 0.05.")
    return alpha


_read_step = record(
    Step, {"share": _read_share}, {"soak_s": integer(0, 30 * DAY_S), "gate": read_boolean}
)
_REQUIRED: Final[dict[str, Reader[Any]]] = {
    "strategy": choice(Strategy, "strategy"),
    "steps": list_of(_read_step, least=1, most=MOST_STEPS),
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
}
read_plan: Final[Reader[Plan]] = checked(record(Plan, _REQUIRED, _OPTIONAL), _check_steps)
"""Reads a plan from JSON. Raises DocumentError with every problem."""
read_frozen_plan: Final[Reader[Plan]] = checked(
    record(Plan, _REQUIRED, {**_OPTIONAL, "checks": read_all_checks}), _check_steps
)
"""Reads the plan of a release, which has the checks of its service and of policies as well."""


MATRIX: Final = {
    "zero_downtime_required": {
        "high_traffic": "blue_green",
        "medium_traffic": "rolling",
        "low_traffic": "canary",
    },
    "downtime_acceptable": {
        "simple_applications": "in_place",
        "complex_applications": "blue_green",
    },
    "testing_focus": {
        "user_validation": "canary",
        "feature_testing": "feature_flag",
        "performance_testing": "blue_green",
    },
}
# What there is instead of a strategy that a service cannot take, with the least to lose first.
_OTHERWISE: Final = {"blue_green": "canary", "rolling": "canary"}


@dataclass(frozen=True, slots=True)
class Advice:
    """A strategy, and the answers that it follows from. ``instead_of`` is what the matrix names,
    where that cannot be had."""

    strategy: str
    concern: str
    answer: str
    instead_of: str = ""


def advise(concern: str, answer: str, *, possible: frozenset[str]) -> Advice:
    """What the matrix says. Raises KeyError for what it does not know."""
    named = MATRIX[concern][answer]
    strategy = named if named in possible else _OTHERWISE[named]
    return Advice(strategy, concern, answer, "" if strategy == named else named)
