"""What an evaluation sees besides the context: the environment's other documents, and the instant.

Flags refer to each other, to segments and to groups by key and look them up as they are asked, so
that a change compiles the one document that changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from flags.engine.document import EnvironmentFlag, Group, Segment, ValueType
from flags.engine.limits import MAX_STEPS
from flags.engine.results import Context, Result


class Unresolved(Exception):
    """A document refers to one that is not there, or that cannot be evaluated."""


class OverBudget(Exception):
    """An evaluation would cost more than one may."""


class Steps:
    """What an evaluation may still cost: it must hold up nobody, whatever it is asked with.

    Every condition is a step, and every item of a list that is looked through; a text costs by
    its length wherever it is searched, folded or hashed. What is costly is paid for before it is
    done. Small costs that a document bounds by itself are not counted one by one: a flag or a
    segment pays for all its conditions when it is asked.
    """

    __slots__ = ("left", "most")

    def __init__(self, most: int = MAX_STEPS) -> None:
        self.most = self.left = most

    def spend(self, count: int) -> None:
        """Pay for what is about to be done. Raises OverBudget."""
        self.left -= count
        if self.left < 0:
            raise OverBudget


class Evaluate(Protocol):
    """From a context to its result; never raises, whatever the context holds."""

    def __call__(self, context: Context, state: "EvaluationState" = ..., /) -> Result: ...


@dataclass(frozen=True, slots=True)
class CompiledFlag:
    """A flag ready to evaluate; ``source`` is what it was compiled from.

    ``answer`` is ``evaluate`` for the flags that refer to this one: what it raises is their error
    as well, and ``weight`` is what it costs them in steps at least. ``instants`` are those at which
    its answers may change by themselves, in Unix seconds.
    """

    key: str
    value_type: ValueType
    client_visible: bool
    version: int
    evaluate: Evaluate
    answer: "Evaluation"
    weight: int
    source: EnvironmentFlag
    instants: frozenset[float] = frozenset()


@dataclass(frozen=True, slots=True)
class CompiledSegment:
    """``weight`` is what asking it costs in steps at least."""

    key: str
    contains: "Test"
    weight: int
    source: Segment
    instants: frozenset[float] = frozenset()


@dataclass(frozen=True, slots=True)
class CompiledGroup:
    """``position`` is where a unit lies on the group's line, ``gives`` whether that is in the slot
    of a flag."""

    key: str
    source: Group
    position: "Position"
    gives: "Callable[[str, Context, EvaluationState], bool]"


@dataclass(frozen=True, slots=True)
class EvaluationState:
    """One state of an environment at one instant: ``now`` in Unix seconds.

    ``draw`` gives another unit at every call, for what is dealt out at random; the engine itself
    has no randomness, so that without one there is no such unit. ``steps`` is what the evaluation
    at hand may still cost: one state serves one evaluation at a time.
    """

    flags: Mapping[str, CompiledFlag]
    segments: Mapping[str, CompiledSegment]
    groups: Mapping[str, CompiledGroup]
    now: float
    draw: Callable[[], str] = str
    steps: Steps = field(default_factory=Steps, compare=False)

    def segment(self, key: str) -> CompiledSegment:
        """Raises Unresolved where there is none: nobody may count as outside of it."""
        found = self.segments.get(key)
        if found is None:
            raise Unresolved(f"the segment {key!r} cannot be evaluated")
        return found

    def group(self, key: str) -> CompiledGroup:
        """Raises Unresolved where there is none."""
        found = self.groups.get(key)
        if found is None:
            raise Unresolved(f"the exclusion group {key!r} cannot be evaluated")
        return found


EMPTY: Final = EvaluationState({}, {}, {}, 0.0)

Test: TypeAlias = Callable[[Context, EvaluationState], bool]
Read: TypeAlias = Callable[[Context, EvaluationState], object]
Evaluation: TypeAlias = Callable[[Context, EvaluationState], Result]
Position: TypeAlias = Callable[[Context, EvaluationState], int | None]
