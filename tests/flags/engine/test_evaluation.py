"""Whole flags: what they answer, and that they always answer."""

import json
from typing import Any

import pytest
from hypothesis import given

from flags.engine import ErrorCode, Reason, compile_flag
from tests.flags.engine import cases, documents
from tests.flags.engine.documents import environment, relaxed, rule, split

CASES = [
    pytest.param(flag["document"], case, id=f"{flag['name']}: {case['name']}")
    for flag in cases.load("evaluation")["flags"]
    for case in flag["evaluations"]
]


@pytest.mark.parametrize(("document", "case"), CASES)
def test_evaluate__published_case__is_met(document: dict[str, Any], case: dict[str, Any]) -> None:
    result = compile_flag(document).evaluate(case["context"])
    expected = case["expect"]
    assert (result.value, result.variant) == (expected["value"], expected["variant"])
    assert type(result.value) is type(expected["value"])
    assert (result.reason, result.metadata) == (expected["reason"], expected["metadata"])
    assert result.error_code == expected.get("error_code")


@relaxed
@given(documents.configurations(), documents.contexts)
def test_evaluate__any_flag_and_any_context__answers_with_a_variant_or_an_error(
    configuration: dict[str, Any], context: dict[str, Any]
) -> None:
    result = compile_flag(environment(**configuration)).evaluate(context)
    if result.reason is Reason.ERROR:
        assert (result.value, result.variant) == (None, None)
        assert result.error_code is ErrorCode.TARGETING_KEY_MISSING
    else:
        assert (result.variant, result.value) in [("on", True), ("off", False)]
        assert result.error_code is None
    json.dumps(dict(result.metadata), allow_nan=False)


@relaxed
@given(documents.configurations(), documents.contexts)
def test_evaluate__same_context_twice__answers_the_same(
    configuration: dict[str, Any], context: dict[str, Any]
) -> None:
    document = environment(**configuration)
    flag = compile_flag(document)
    assert flag.evaluate(context) == flag.evaluate(context)
    assert flag.evaluate(context) == compile_flag(document).evaluate(context)


@pytest.mark.parametrize("operator", ["exists", "is_true"])
def test_evaluate__context_nested_100000_deep__does_not_raise(operator: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    test = {"attribute": "a.a.a", "operator": operator}
    result = compile_flag(environment(rules=[rule(when=test)])).evaluate(deep)
    assert result.value is (operator == "exists")


def test_evaluate__constant_answers__are_built_once() -> None:
    flag = compile_flag(environment())
    assert flag.evaluate({}) is flag.evaluate({"targetingKey": "alice"})


def test_evaluate__missing_unit__names_the_attribute_to_give() -> None:
    flag = compile_flag(environment(fallthrough=split(50_000, bucket_by="company.id")))
    result = flag.evaluate({"targetingKey": "alice"})
    assert result.error_code is ErrorCode.TARGETING_KEY_MISSING
    assert "company.id" in str(result.error_details)


def test_compiled_flag__read__shows_what_evaluators_route_by() -> None:
    flag = compile_flag({**environment(), "client_visible": True, "version": 12})
    assert (flag.key, flag.value_type, flag.client_visible, flag.version) == (
        "checkout", "boolean", True, 12,
    )  # fmt: skip


def test_targets__100000_keys__are_found_by_one_look_up() -> None:
    keys = [f"user-{number}" for number in range(100_000)]
    flag = compile_flag(environment(targets=[{"variant": "on", "keys": keys}]))
    assert flag.evaluate({"targetingKey": "user-99999"}).reason is Reason.TARGETING_MATCH
    assert flag.evaluate({"targetingKey": "charlie"}).reason is Reason.DEFAULT
