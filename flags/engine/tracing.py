"""Conditions, traced: whether each holds, and what it saw.

Every condition is scope, also those that an evaluation would no longer have come to.
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
    """One condition, with what it saw.

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
class TraceScope:
    context: Context
    state: EvaluationState
    segments: Mapping[str, Segment] = field(default_factory=dict)
    flag: str = ""


def trace_condition(condition: Condition, scope: TraceScope) -> Trace:
    """Ask a condition and all that it consists of. Raises OverBudget."""
    scope.state.steps.spend(1)
    return _trace(condition, scope)


@singledispatch
def _trace(condition: Condition, scope: TraceScope) -> Trace:
    raise TypeError(type(condition).__name__)


@_trace.register
def _(condition: AllOf, scope: TraceScope) -> Trace:
    parts = tuple(trace_condition(one, scope) for one in condition.conditions)
    return Trace("all", all(one.matched for one in parts), condition, parts=parts)


@_trace.register
def _(condition: AnyOf, scope: TraceScope) -> Trace:
    parts = tuple(trace_condition(one, scope) for one in condition.conditions)
    return Trace("any", any(one.matched for one in parts), condition, parts=parts)


@_trace.register
def _(condition: Not, scope: TraceScope) -> Trace:
    inner = trace_condition(condition.condition, scope)
    return Trace("not", not inner.matched, condition, parts=(inner,))


@_trace.register
def _(condition: AttributeTest, scope: TraceScope) -> Trace:
    saw = compile_attribute(condition.attribute)(scope.context, scope.state)
    matched = compile_condition(condition)(scope.context, scope.state)
    return Trace("attribute", matched, condition, saw)


@_trace.register
def _(condition: LogicTest, scope: TraceScope) -> Trace:
    saw = compile_logic_for(condition, scope.flag)(scope.context, scope.state)
    return Trace("logic", bool(saw), condition, saw)


@_trace.register
def trace_flag(condition: FlagTest, scope: TraceScope) -> Trace:
    found = scope.state.flags.get(condition.flag)
    if found is None:
        return Trace("flag", False, condition)
    try:
        served = found.answer(scope.context, scope.state).variant
    except Unresolved as missing:
        return Trace("flag", False, condition, problem=str(missing))
    return Trace("flag", served in condition.variants, condition, served)


@_trace.register
def _(condition: SegmentTest, scope: TraceScope) -> Trace:
    segment = scope.segments.get(condition.segment)
    if segment is None:
        problem = f"the segment {condition.segment!r} cannot be evaluated"
        return Trace("segment", False, condition, problem=problem)
    inner = trace_condition(segment.when, replace(scope, flag=""))
    key = unit_of(compile_attribute(segment.keyed_by)(scope.context, scope.state))
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
