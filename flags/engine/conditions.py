"""Conditions, compiled: each becomes one function of the context.

A new kind of condition registers its compiler here and its reader in ``parsing``.
"""

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import TypeAlias

from flags.engine.document import AllOf, AnyOf, AttributeTest, Condition, Not
from flags.engine.operators import build_predicate
from flags.engine.results import Context

Test: TypeAlias = Callable[[Context], bool]


def compile_attribute(path: str) -> Callable[[Context], object]:
    """Reads the attribute at a dotted path; None where it is missing.

    A key that literally contains the dots wins over the nested path: with
    ``{"a.b": 1, "a": {"b": 2}}`` the attribute ``a.b`` is 1.
    """
    if "." not in path:
        return lambda context: context.get(path)
    steps = path.split(".")

    def read(context: Context) -> object:
        return context[path] if path in context else _walk(context, steps)

    return read


def _walk(value: object, steps: list[str]) -> object:
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


@singledispatch
def compile_condition(condition: Condition) -> Test:
    """Whether a context meets the condition; never raises, whatever the context holds."""
    raise TypeError(type(condition).__name__)


@compile_condition.register
def _(condition: AttributeTest) -> Test:
    test = build_predicate(condition.operator, condition.values, ignore_case=condition.ignore_case)
    read = compile_attribute(condition.attribute)
    return lambda context: test(read(context))


@compile_condition.register
def _(condition: Not) -> Test:
    test = compile_condition(condition.condition)
    return lambda context: not test(context)


@compile_condition.register
def _(condition: AllOf) -> Test:
    tests = tuple(map(compile_condition, condition.conditions))
    if len(tests) == 1:
        return tests[0]

    def all_of(context: Context) -> bool:
        for test in tests:  # noqa: SIM110 - twice as fast as all() with a generator
            if not test(context):
                return False
        return True

    return all_of


@compile_condition.register
def _(condition: AnyOf) -> Test:
    tests = tuple(map(compile_condition, condition.conditions))
    if len(tests) == 1:
        return tests[0]

    def any_of(context: Context) -> bool:
        for test in tests:  # noqa: SIM110 - twice as fast as any() with a generator
            if test(context):
                return True
        return False

    return any_of
