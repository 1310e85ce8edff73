"""How large a document may be: at each limit it is read, beyond it refused."""

from collections.abc import Callable
from typing import Any

import pytest

from flags.engine import compile_flag, limits, parse_definition
from portal.lib.documents import MAX_PROBLEMS
from tests.flags.engine.documents import BOOLEAN, configuration, environment, rule
from tests.flags.engine.parsers import refuse


def nest(levels: int, wrap: Callable[[Any], Any], innermost: object) -> Any:
    for _ in range(levels):
        innermost = wrap(innermost)
    return innermost


@pytest.mark.parametrize(
    "wrap", [lambda c: {"not": c}, lambda c: {"all": [c]}, lambda c: {"any": [c]}]
)
@pytest.mark.parametrize("levels", [limits.MAX_CONDITION_DEPTH, 100_000])
def test_condition__nested_too_deep__is_refused(levels: int, wrap: Callable[[Any], Any]) -> None:
    rules = [rule(when=nest(levels, wrap, {"all": []}))]
    (problem,) = refuse("configuration", configuration(rules=rules)).problems
    assert "at most 20 deep" in problem.message


def test_condition__nested_as_deep_as_allowed__evaluates() -> None:
    when = nest(limits.MAX_CONDITION_DEPTH - 1, lambda inner: {"not": inner}, {"all": []})
    assert compile_flag(environment(rules=[rule(when=when)])).evaluate({}).variant == "off"


@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: {"a": [inner]}])
@pytest.mark.parametrize("levels", [limits.MAX_VALUE_DEPTH, 100_000])
def test_object_value__nested_too_deep__is_refused(levels: int, wrap: Callable[[Any], Any]) -> None:
    variants = [{"key": "a", "value": nest(levels, wrap, {})}]
    document = {"key": "k", "value_type": "object", "variants": variants}
    (problem,) = refuse("definition", document).problems
    assert "at most 20 deep" in problem.message


def test_object_value__nested_as_deep_as_allowed__is_read() -> None:
    value = nest(limits.MAX_VALUE_DEPTH - 1, lambda inner: {"a": inner}, {})
    variants = [{"key": "a", "value": value}]
    parsed = parse_definition({"key": "k", "value_type": "object", "variants": variants})
    assert parsed.variants[0].value == value


def targets(count: int) -> list[object]:
    """So many keys, in two targets."""
    keys = [f"user-{index}" for index in range(count)]
    return [{"variant": "on", "keys": keys[:7]}, {"variant": "off", "keys": keys[7:]}]


AS_MANY: dict[str, list[object]] = {
    "rules": [rule(f"r{index}") for index in range(limits.MAX_RULES)],
    "targets": targets(limits.MAX_TARGET_KEYS),
}
TOO_MANY: dict[str, list[object]] = {
    "rules": [*AS_MANY["rules"], rule("more")],
    "targets": targets(limits.MAX_TARGET_KEYS + 1),
}
VALUES = list(map(str, range(limits.MAX_CONDITION_VALUES + 1)))


@pytest.mark.parametrize("field", sorted(AS_MANY))
def test_configuration__as_many_as_allowed__evaluates(field: str) -> None:
    result = compile_flag(environment(**{field: AS_MANY[field]})).evaluate(
        {"targetingKey": "user-0"}
    )
    assert result.variant == "on"


@pytest.mark.parametrize("field", sorted(TOO_MANY))
def test_configuration__more_than_a_limit__is_refused(field: str) -> None:
    (problem,) = refuse("configuration", configuration(**{field: TOO_MANY[field]})).problems
    assert problem.path == field


def test_configuration__too_many_values_of_a_condition__is_refused() -> None:
    when = {"attribute": "x", "operator": "in", "values": VALUES}
    (problem,) = refuse("configuration", configuration(rules=[rule(when=when)])).problems
    assert problem.path == "rules[0].when.values"


def test_definition__too_many_variants__is_refused() -> None:
    variants = [{"key": f"v{index}", "value": True} for index in range(limits.MAX_VARIANTS + 1)]
    (problem,) = refuse("definition", {**BOOLEAN, "variants": variants}).problems
    assert problem.path == "variants"


def test_problems__a_million_wrong_fields__are_reported_up_to_the_limit() -> None:
    unknown = dict.fromkeys(map(str, range(1_000_000)))
    problems = refuse("definition", {**BOOLEAN, "key": "", **unknown}).problems
    assert len(problems) == MAX_PROBLEMS
