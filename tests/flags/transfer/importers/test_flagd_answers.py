"""A flag that comes from flagd answers as it did there."""

import string
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from tests.flags.engine.documents import relaxed
from tests.flags.engine.murmur3 import murmur3_32
from tests.flags.transfer.importers import flagd_reference
from tests.flags.transfer.importers.plans import (
    EXAMPLE,
    compiled,
    compiled_flagd,
    flagd_flag,
    plan_flagd,
    variant,
)

IDS = [f"user-{number}@faas.com" for number in range(3000)]


def expected_share(bucket: str, shares: Mapping[str, int]) -> str:
    """By flagd's formula: murmur3 of the bucket, on the line of the weights."""
    position = murmur3_32(bucket.encode()) * sum(shares.values()) >> 32
    for name, weight in shares.items():
        position -= weight
        if position < 0:
            return name
    raise AssertionError


def test_the_example_file__is_taken_over_whole() -> None:
    plan = plan_flagd(EXAMPLE["flags"], **{"$evaluators": EXAMPLE["$evaluators"]})
    assert [flag.key for flag in plan.flags] == list(EXAMPLE["flags"])
    assert plan.skipped == []
    assert plan.notes == []
    types = [flag.definition["value_type"] for flag in plan.flags]
    assert types == [
        "boolean",
        "string",
        "number",
        "integer",
        "object",
        "boolean",
        "string",
        "string",
    ]


@pytest.fixture(scope="module")
def example_flags() -> dict[str, Any]:
    plan = plan_flagd(EXAMPLE["flags"], **{"$evaluators": EXAMPLE["$evaluators"]})
    return {flag.key: compiled(flag) for flag in plan.flags}


def test_the_example_file__header_colour__people_keep_theirs(
    example_flags: dict[str, Any],
) -> None:
    quarters = {"red": 25, "blue": 25, "green": 25, "yellow": 25}
    flag = example_flags["headerColor"]
    served = {user: variant(flag, {"email": user, "targetingKey": "other"}) for user in IDS}
    assert served == {user: expected_share(f"headerColor{user}", quarters) for user in IDS}
    assert set(served.values()) == set(quarters)
    assert variant(flag, {"email": "somebody@example.com"}) == "red"
    assert variant(flag, {}) == "red"


@pytest.mark.parametrize(
    ("key", "context", "served"),
    [
        ("isColorYellow", {"color": "yellow"}, "on"),
        ("isColorYellow", {"color": "red"}, "off"),
        ("isColorYellow", {}, "off"),
        ("fibAlgo", {"email": "a@faas.com"}, "binet"),
        ("fibAlgo", {"email": "a@example.com"}, "recursive"),
        ("fibAlgo", {}, "recursive"),
        ("myFloatFlag", {}, "one"),
    ],
)
def test_the_example_file__answers_as_flagd(
    example_flags: dict[str, Any], key: str, context: Mapping[str, object], served: str
) -> None:
    assert variant(example_flags[key], context) == served


@pytest.mark.parametrize(
    ("first", "bucket"),
    [
        ([], "colour{targetingKey}"),
        ([{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}], "colour{email}"),
        ([{"cat": ["winter-", {"var": ["email"]}]}], "winter-{email}"),
        ([{"var": "email"}], "{email}"),
        ([{"var": "targetingKey"}], "{targetingKey}"),
    ],
)
def test_fractional__thousands_of_people__keep_their_variant(first: list[Any], bucket: str) -> None:
    flag = compiled_flagd({"fractional": [*first, ["red", 7], ["blue", 92], ["true", 1]]})
    contexts = [{"targetingKey": user, "email": f"{user}.org"} for user in IDS]
    for context in contexts:
        shares = {"red": 7, "blue": 92, "true": 1}
        assert variant(flag, context) == expected_share(bucket.format(**context), shares)


def test_fractional__weights_left_out__count_as_one() -> None:
    flag = compiled_flagd({"fractional": [["red"], ["blue"]]})
    halves = {"red": 1, "blue": 1}
    for user in IDS[:500]:
        assert variant(flag, {"targetingKey": user}) == expected_share(f"colour{user}", halves)


def test_fractional__nobody_to_hash__gets_the_default_and_not_the_next_branch() -> None:
    split = {"fractional": [["blue", 1], ["true", 1]]}
    flag = compiled_flagd({"if": [{"===": [{"var": "x"}, 1]}, split, "false"]})
    assert variant(flag, {"x": 1}) == "red"
    assert variant(flag, {"x": 2}) == "false"


# Attributes that hold what they usually do: a text, a number, a switch.
_emails = st.sampled_from(["a@faas.com", "b@x.org", "@faas.com", "x", ""]) | st.integers(0, 3)
_contexts = st.fixed_dictionaries(
    {},
    optional={
        "email": _emails,
        "user": st.fixed_dictionaries({}, optional={"plan": st.sampled_from(["pro", "free", ""])}),
        "age": st.integers(-2, 40) | st.sampled_from([0.5, 17.5, 18.0]),
        "beta": st.sampled_from([True, False, 0, 1, "", "1", "0", "yes"]),
        # An empty one is nobody here, and flagd's own SDKs do not agree about it.
        "targetingKey": st.text(string.ascii_lowercase, min_size=1, max_size=6),
    },
)
_texts = st.sampled_from(["@faas.com", "x", "pro", "a", "free"])
_text_attributes = st.sampled_from([{"var": "email"}, {"var": ["email"]}, {"var": "user.plan"}])
_ages = st.sampled_from([0, -1, 18, 17.5, 3])


def _operation(names: list[str], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda name, *given: {name: list(given)}, st.sampled_from(names), *arguments)


_tests = (
    _operation(["==", "!=", "===", "!=="], _text_attributes, _texts | st.none())
    | _operation(["==", "!=", "===", "!=="], _texts, _text_attributes)
    | _operation(["==", "!=", "===", "!=="], st.just({"var": "beta"}), st.booleans())
    | _operation(["===", "!=="], st.just({"var": "age"}), _ages)
    | _operation(["in"], _texts, _text_attributes)
    | _operation(["in"], _text_attributes, st.lists(_texts, max_size=3))
    | _operation(["in"], st.just({"var": "age"}), st.lists(_ages, max_size=3))
    | _operation(["starts_with", "ends_with"], _text_attributes, _texts)
    | _operation(["<", "<=", ">", ">="], st.just({"var": "age"}), _ages)
    | _operation(["<", "<=", ">", ">="], _ages, st.just({"var": "age"}))
    | _operation(["<", "<="], _ages, st.just({"var": "age"}), _ages)
)
_conditions = st.recursive(
    _tests,
    lambda inner: (
        st.builds(
            lambda name, group: {name: group},
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=1, max_size=3),
        )
        | st.builds(lambda name, one: {name: one}, st.sampled_from(["!", "!!"]), inner)
    ),
    max_leaves=4,
)
_variants = st.sampled_from(["red", "blue", "true"])
_weights = st.integers(1, 50)
_shares = st.lists(
    st.tuples(_variants, _weights).map(list) | _variants.map(lambda v: [v]), min_size=2, max_size=4
)
_buckets = st.sampled_from(
    [
        [],
        [{"cat": [{"var": "$flagd.flagKey"}, {"var": "email"}]}],
        [{"cat": ["seed-", {"var": "$flagd.flagKey"}, {"var": "user.plan"}]}],
        [{"cat": [{"var": "email"}]}],
        [{"var": "email"}],
        [{"var": "targetingKey"}],
    ]
)
_fractionals = st.builds(lambda first, shares: {"fractional": [*first, *shares]}, _buckets, _shares)
_outcomes = _variants | st.none() | st.booleans() | _fractionals
_targetings = st.recursive(
    _outcomes | _conditions,
    lambda inner: st.lists(_conditions, min_size=1, max_size=3).flatmap(
        lambda conditions: st.lists(
            inner, min_size=len(conditions), max_size=len(conditions) + 1
        ).map(lambda outcomes: {"if": _interleaved(conditions, outcomes)})
    ),
    max_leaves=4,
)


def _interleaved(conditions: list[Any], outcomes: list[Any]) -> list[Any]:
    pairs = [part for pair in zip(conditions, outcomes, strict=False) for part in pair]
    return pairs + outcomes[len(conditions) :]


@relaxed
@given(_targetings, st.lists(_contexts, min_size=5, max_size=5))
@example({"fractional": [{"var": "email"}, ["red", 1], ["blue", 1]]}, [{"email": 2}] * 5)
@example({"if": [{"<": [{"var": "age"}, 18]}, "blue"]}, [{}] * 5)
@example({"if": [{"<=": [{"var": "age"}, 0]}, "blue"]}, [{}] * 5)
def test_any_targeting_we_take_over__answers_as_flagd(
    targeting: object, contexts: list[dict[str, Any]]
) -> None:
    flag = flagd_flag() | {"targeting": targeting}
    plan = plan_flagd({"colour": flag})
    assert plan.skipped == []
    ours = compiled(plan.flags[0])
    for context in contexts:
        assert variant(ours, context) == flagd_reference.serve("colour", flag, context), context
