"""Conditions, traced: whether each holds, and what it saw.

Every condition is asked, also those that an evaluation would no longer have come to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch

from flags.engine.buckets import unit_of
from flags.engine.conditions import compile_attribute, compile_condition, compile_logic_for
from flags.engine.document import (
    AllOf,
    AnyOf,
    AttributeTest,
    Condition,
    FlagTest,
    LogicTest,
    Not,
    Segment,
    SegmentTest,
)
from flags.engine.results import Context
from flags.engine.state import EvaluationState, Unresolved


@dataclass(frozen=True, slots=True)
class Trace:
    """One condition, asked.

    ``kind`` is all, any, not, attribute, logic, segment or flag. ``saw`` is what an attribute
    test found in the context (None where it is missing), what logic made of it, what a segment
    decided by (included, excluded, condition), or the variant that another flag serves.
    ``problem`` says why it could not be asked; the flag is an error then. ``parts`` are the
    conditions inside.
    """

    kind: str
    matched: bool
    condition: Condition
    saw: object = None
    problem: str = ""
    parts: tuple["Trace", ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """The context and state that conditions are traced in; ``segments`` come parsed."""

    context: Context
    state: EvaluationState
    segments: Mapping[str, Segment] = field(default_factory=dict)
    flag: str = ""


def trace_condition(condition: Condition, asked: Asked) -> Trace:
    """Ask a condition and all that it consists of. Raises OverBudget."""
    asked.state.steps.spend(1)
    return _trace(condition, asked)


@singledispatch
def _trace(condition: Condition, asked: Asked) -> Trace:
    raise TypeError(type(condition).__name__)


@_trace.register
def _(condition: AllOf, asked: Asked) -> Trace:
    parts = tuple(trace_condition(one, asked) for one in condition.conditions)
    return Trace("all", all(one.matched for one in parts), condition, parts=parts)


@_trace.register
def _(condition: AnyOf, asked: Asked) -> Trace:
    parts = tuple(trace_condition(one, asked) for one in condition.conditions)
    return Trace("any", any(one.matched for one in parts), condition, parts=parts)


@_trace.register
def _(condition: Not, asked: Asked) -> Trace:
    inner = trace_condition(condition.condition, asked)
    return Trace("not", not inner.matched, condition, parts=(inner,))


@_trace.register
def _(condition: AttributeTest, asked: Asked) -> Trace:
    saw = compile_attribute(condition.attribute)(asked.context, asked.state)
    matched = compile_condition(condition)(asked.context, asked.state)
    return Trace("attribute", matched, condition, saw)


@_trace.register
def _(condition: LogicTest, asked: Asked) -> Trace:
    saw = compile_logic_for(condition, asked.flag)(asked.context, asked.state)
    return Trace("logic", bool(saw), condition, saw)


@_trace.register
def trace_flag(condition: FlagTest, asked: Asked) -> Trace:
    found = asked.state.flags.get(condition.flag)
    if found is None:
        return Trace("flag", False, condition)
    try:
        served = found.answer(asked.context, asked.state).variant
    except Unresolved as missing:
        return Trace("flag", False, condition, problem=str(missing))
    return Trace("flag", served in condition.variants, condition, served)


@_trace.register
def _(condition: SegmentTest, asked: Asked) -> Trace:
    segment = asked.segments.get(condition.segment)
    if segment is None:
        problem = f"the segment {condition.segment!r} cannot be evaluated"
        return Trace("segment", False, condition, problem=problem)
    inner = trace_condition(segment.when, replace(asked, flag=""))
    key = unit_of(compile_attribute(segment.keyed_by)(asked.context, asked.state))
    if key in segment.included:
        return Trace("segment", True, condition, "included", parts=(inner,))
    if key in segment.excluded:
        return Trace("segment", False, condition, "excluded", parts=(inner,))
    return Trace("segment", inner.matched, condition, "condition", parts=(inner,))


def problem_in(trace: Trace) -> str:
    """Why an evaluation fails at this condition; empty where it does not.

    It stops at the part that decides, as the evaluation does, so later parts do no harm.
    """
    if trace.kind == "segment" and trace.saw in ("included", "excluded"):
        return ""
    stops_at = {"all": False, "any": True}.get(trace.kind)
    for part in trace.parts:
        problem = problem_in(part)
        if problem:
            return problem
        if part.matched is stops_at:
            return ""
    return trace.problem
