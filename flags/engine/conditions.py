"""Conditions, compiled: each becomes one function of the context and the state.

A new kind of condition registers its compiler here and its reader in ``condition_parsing``.
"""

from collections.abc import Mapping
from functools import singledispatch

from flags.engine.document import (
    NOW,
    AllOf,
    AnyOf,
    AttributeTest,
    ByLogic,
    Condition,
    FlagTest,
    LogicTest,
    Not,
    SegmentTest,
)
from flags.engine.jsonlogic import compile_logic
from flags.engine.operators import Cost, Predicate, build_cost, build_predicate
from flags.engine.results import Context
from flags.engine.state import EvaluationState, Read, Test


def compile_attribute(path: str) -> Read:
    """Reads the attribute at a dotted path; None where it is missing.

    A key that literally contains the dots wins over the nested path: with
    ``{"a.b": 1, "a": {"b": 2}}`` the attribute ``a.b`` is 1. ``$now`` is the state's.
    """
    if path == NOW:
        return lambda _context, state: state.now
    if "." not in path:
        return lambda context, _state: context.get(path)
    steps = path.split(".")

    def read(context: Context, _state: EvaluationState) -> object:
        return context[path] if path in context else _walk(context, steps)

    return read


def _walk(value: object, steps: list[str]) -> object:
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


@singledispatch
def compile_condition(condition: Condition, flag: str = "") -> Test:
    """Whether a context meets the condition, which stands in ``flag`` if it stands in one.

    Raises nothing but state.Unresolved, whatever the context holds.
    """
    raise TypeError(type(condition).__name__)


@compile_condition.register
def _(condition: AttributeTest, _flag: str = "") -> Test:
    test = build_predicate(condition.operator, condition.values, ignore_case=condition.ignore_case)
    path = condition.attribute
    cost = build_cost(condition.operator, condition.values, ignore_case=condition.ignore_case)
    if cost is not None:
        return _paid(compile_attribute(path), cost, test)
    if "." not in path and path != NOW:  # what nearly all tests are: one call less
        return lambda context, _state: test(context.get(path))
    read = compile_attribute(path)
    return lambda context, state: test(read(context, state))


def _paid(read: Read, cost: Cost, test: Predicate) -> Test:
    def pay_and_test(context: Context, state: EvaluationState) -> bool:
        value = read(context, state)
        state.steps.spend(cost(value))
        return test(value)

    return pay_and_test


@compile_condition.register
def _(condition: SegmentTest, _flag: str = "") -> Test:
    key = condition.segment

    def is_member(context: Context, state: EvaluationState) -> bool:
        segment = state.segment(key)
        state.steps.spend(segment.weight)
        return segment.contains(context, state)

    return is_member


@compile_condition.register
def _(condition: FlagTest, _flag: str = "") -> Test:
    key, wanted = condition.flag, frozenset(condition.variants)

    def serves_one_of_them(context: Context, state: EvaluationState) -> bool:
        flag = state.flags.get(key)
        if flag is None:
            return False
        state.steps.spend(flag.weight)
        return flag.answer(context, state).variant in wanted

    return serves_one_of_them


@compile_condition.register
def _(condition: LogicTest, flag: str = "") -> Test:
    run = compile_logic_for(condition, flag)
    return lambda context, state: bool(run(context, state))


def compile_logic_for(one: LogicTest | ByLogic, flag: str) -> Read:
    run = compile_logic(one.logic, fractional=one.bucketing)

    def read(context: Context, state: EvaluationState) -> object:
        state.steps.spend(len(context) >> 4)
        about = {"flagKey": flag, "timestamp": int(state.now)}
        return run({**context, "$flagd": about}, state.steps)

    return read


@compile_condition.register
def _(condition: Not, flag: str = "") -> Test:
    test = compile_condition(condition.condition, flag)
    return lambda context, state: not test(context, state)


@compile_condition.register
def _(condition: AllOf, flag: str = "") -> Test:
    tests = tuple(compile_condition(one, flag) for one in condition.conditions)
    if len(tests) == 1:
        return tests[0]

    def all_of(context: Context, state: EvaluationState) -> bool:
        for test in tests:  # noqa: SIM110 - twice as fast as all() with a generator
            if not test(context, state):
                return False
        return True

    return all_of


@compile_condition.register
def _(condition: AnyOf, flag: str = "") -> Test:
    tests = tuple(compile_condition(one, flag) for one in condition.conditions)
    if len(tests) == 1:
        return tests[0]

    def any_of(context: Context, state: EvaluationState) -> bool:
        for test in tests:  # noqa: SIM110 - twice as fast as any() with a generator
            if test(context, state):
                return True
        return False

    return any_of
