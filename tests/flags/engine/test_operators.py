"""Every operator, against the published cases."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import OPERATORS, compile_flag
from flags.engine.operators import build_predicate
from tests.flags.engine import cases
from tests.flags.engine.documents import any_json, attribute_tests, environment, relaxed, rule

TESTS: list[dict[str, Any]] = cases.load("operators")["tests"]


def does_match(test: dict[str, Any], context: dict[str, object]) -> bool:
    flag = compile_flag(environment(rules=[rule(when=test)]))
    return flag.evaluate(context).value is True


# One test for each case and all its values: there are a thousand of them.
@pytest.mark.parametrize("case", cases.named(TESTS))
def test_operator__every_value__matches_as_published(case: dict[str, Any]) -> None:
    expected = [(value, True) for value in case["matches"]]
    expected += [(value, False) for value in case["fails"]]
    assert [(value, does_match(case["test"], {"x": value})) for value, _ in expected] == expected


@pytest.mark.parametrize("case", cases.named(TESTS))
def test_operator__nothing_to_compare__matches_as_published(case: dict[str, Any]) -> None:
    """An attribute that is missing, or null; and what is no number equals nothing, has no order."""
    test, missing = case["test"], case["matches_missing"]
    is_negated = test["operator"].startswith("not_") and "values" in test
    no_number = is_negated or test["operator"] == "exists"
    contexts: list[dict[str, object]] = [{"y": "other"}, {"x": None}, {"x": float("nan")}]
    assert [does_match(test, one) for one in contexts] == [missing, missing, no_number]


def test_operators__every_one__has_a_published_case() -> None:
    assert {case["test"]["operator"] for case in TESTS} == set(OPERATORS)


MEGABYTE = 1_000_000
HUGE: dict[str, Any] = {
    "a text of a megabyte": "9" * MEGABYTE,
    "a text of a megabyte beyond ASCII": "ß" * (MEGABYTE // 2),
    "a text of dots": "." * MEGABYTE,
    "a long version": "1.0.0-" + "1." * 100_000,
    "a long list": ["x"] * 100_000,
    "a deep list": [],
    "a huge integer": 10**5_000,
}
for _ in range(50_000):
    HUGE["a deep list"] = [HUGE["a deep list"]]


@pytest.mark.parametrize("size", HUGE)
def test_operators__huge_value__every_one_answers(size: str) -> None:
    answers = {does_match(case["test"], {"x": HUGE[size]}) for case in TESTS}
    assert answers == {True, False}


@relaxed
@given(attribute_tests(), any_json)
def test_operator__any_value__is_no_error(test: dict[str, Any], value: object) -> None:
    predicate = build_predicate(
        test["operator"], tuple(test.get("values", ())), ignore_case=test.get("ignore_case", False)
    )
    assert predicate(value) in (True, False)


@relaxed
@given(st.data(), any_json)
def test_negated_operator__any_value__is_the_exact_opposite(
    data: st.DataObject, value: object
) -> None:
    negations = sorted(name for name in OPERATORS if name.startswith("not_"))
    negated = data.draw(st.sampled_from(negations))
    test = data.draw(attribute_tests([negated]))
    build = [tuple(test.get("values", ())), test.get("ignore_case", False)]
    yes = build_predicate(negated.removeprefix("not_"), build[0], ignore_case=build[1])
    no = build_predicate(negated, build[0], ignore_case=build[1])
    assert yes(value) is not no(value)
