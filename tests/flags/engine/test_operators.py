"""Every operator, against the published cases."""

from typing import Any

import pytest

from flags.engine import OPERATORS, compile_flag
from tests.flags.engine import cases
from tests.flags.engine.documents import environment, rule

TESTS: list[dict[str, Any]] = cases.load("operators")["tests"]
VALUES = [
    pytest.param(case["test"], value, expected, id=f"{case['name']}: {expected} for {value!r:.40}")
    for case in TESTS
    for expected, values in ((True, case["matches"]), (False, case["fails"]))
    for value in values
]


def does_match(test: dict[str, Any], context: dict[str, object]) -> bool:
    flag = compile_flag(environment(rules=[rule(when=test)]))
    return flag.evaluate(context).value is True


@pytest.mark.parametrize(("test", "value", "expected"), VALUES)
def test_operator__attribute_with_a_value__matches_as_published(
    test: dict[str, Any], value: object, expected: bool
) -> None:
    assert does_match(test, {"x": value}) is expected


@pytest.mark.parametrize("case", cases.named(TESTS))
def test_operator__missing_attribute__matches_as_published(case: dict[str, Any]) -> None:
    assert does_match(case["test"], {"y": "other"}) is case["matches_missing"]


@pytest.mark.parametrize("case", cases.named(TESTS))
def test_operator__null__is_the_same_as_missing(case: dict[str, Any]) -> None:
    assert does_match(case["test"], {"x": None}) is case["matches_missing"]


@pytest.mark.parametrize("case", cases.named(TESTS))
def test_operator__nan__equals_nothing_and_has_no_order(case: dict[str, Any]) -> None:
    is_negated = case["test"]["operator"].startswith("not_") and "values" in case["test"]
    expected = is_negated or case["test"]["operator"] == "exists"
    assert does_match(case["test"], {"x": float("nan")}) is expected


def test_operators__every_one__has_a_published_case() -> None:
    assert {case["test"]["operator"] for case in TESTS} == set(OPERATORS)
