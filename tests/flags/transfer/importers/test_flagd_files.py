"""What of a flagd file cannot be taken over is said, flag by flag; nothing is dropped silently."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import DocumentError, EvaluationState
from flags.engine.jsonlogic import FRACTIONALS
from flags.transfer.importers import (
    BUCKETINGS,
    FORMATS,
    FileRefused,
    UnknownBucketing,
    UnknownFormat,
    plan_import,
)
from tests.flags.engine.documents import any_json, any_text, relaxed
from tests.flags.transfer.importers.plans import TESTS, compiled, flagd_flag, plan_flagd

REFUSED: list[dict[str, Any]] = json.loads(
    (TESTS / "cases/importers/flagd_refused.json").read_text(encoding="utf-8")
)
BY_LOGIC: list[dict[str, Any]] = json.loads(
    (TESTS / "cases/importers/flagd_by_logic.json").read_text(encoding="utf-8")
)
# Each of ten doubles the one before it ten times over.
EVALUATORS = {
    "loop": {"and": [{"$ref": "loop"}]},
    "e0": {"===": [{"var": "a"}, 1]},
    **{f"e{n}": {"or": [{"$ref": f"e{n - 1}"}] * 10} for n in range(1, 10)},
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_a_flag_we_cannot_express__is_skipped_with_its_reason(case: dict[str, Any]) -> None:
    flag = flagd_flag(case.get("targeting"), **case.get("flag", {}))
    plan = plan_flagd({"fine": flagd_flag(), "bad": flag}, **{"$evaluators": EVALUATORS})
    assert [planned.key for planned in plan.flags] == ["fine"]
    assert [skipped.flag for skipped in plan.skipped] == ["bad"]
    assert case["reason"] in plan.skipped[0].reason


@pytest.mark.parametrize("flag", [None, 1, "x", [], True])
def test_a_flag_that_is_no_object__harms_no_other(flag: object) -> None:
    plan = plan_flagd({"bad": flag, "fine": flagd_flag()})
    assert [planned.key for planned in plan.flags] == ["fine"]
    assert [skipped.flag for skipped in plan.skipped] == ["bad"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        1,
        {},
        {"flags": None},
        {"flags": "x"},
        {"flags": [{}]},
        {"flags": [1]},
        {"flags": {}, "$evaluators": []},
        {"flags": {}, "metadata": "x"},
        {"flags": {1: {}}},
    ],
)
def test_a_file_that_is_not_flagds__is_refused_whole(document: object) -> None:
    with pytest.raises(FileRefused, match=r"^This is not a flagd file: .+\.$"):
        plan_import("flagd", document, environment="production")


def test_flags_in_a_list__are_read_by_their_own_keys() -> None:
    plan = plan_flagd([{**flagd_flag(), "key": "a"}, {**flagd_flag(), "key": "b"}])
    assert [planned.key for planned in plan.flags] == ["a", "b"]


def test_a_flag_that_comes_twice__is_reported() -> None:
    plan = plan_flagd([{**flagd_flag(), "key": "a"}, {**flagd_flag(), "key": "a"}])
    assert [planned.key for planned in plan.flags] == ["a"]
    assert plan.skipped[0].reason == "the file has this flag twice; the first counts"


def test_a_disabled_flag__serves_its_default_variant_while_off_and_says_so() -> None:
    plan = plan_flagd({"off": flagd_flag(state="DISABLED")})
    result = compiled(plan.flags[0]).evaluate({})
    assert (result.variant, result.reason) == ("red", "DISABLED")
    assert plan.notes[0].endswith("or else one that is false, or the last: off")


def test_a_flag_without_a_default__leaves_it_to_the_code() -> None:
    switch = {"variants": {"yes": True, "no": False}, "defaultVariant": None}
    plan = plan_flagd({"a": flagd_flag(**switch), "off": flagd_flag(state="DISABLED", **switch)})
    result = compiled(plan.flags[0]).evaluate({})
    assert (result.value, result.variant, result.reason) == (None, None, "DEFAULT")
    assert compiled(plan.flags[1]).evaluate({}).variant == "no"


def test_metadata_of_the_file_and_of_the_flag__goes_into_every_answer() -> None:
    flag = flagd_flag({"var": "x"}, metadata={"team": "cart", "beta": True})
    plan = plan_flagd({"a": flag}, metadata={"flagSetId": "shop", "team": "web"})
    for context in ({}, {"x": "blue"}, {"x": "nothing"}):
        facts = compiled(plan.flags[0]).evaluate(context).metadata
        assert (facts["flagSetId"], facts["team"], facts["beta"]) == ("shop", "cart", True)
    assert plan.notes == []


def test_what_changes_no_answer__is_noted() -> None:
    plan = plan_flagd({"a": flagd_flag(source="x")})
    assert plan.notes == ["fields that change no answer and are not taken over: source"]


@pytest.mark.parametrize("case", BY_LOGIC, ids=lambda case: case["name"])
def test_what_rules_cannot_say__stays_logic_and_answers_as_flagd(case: dict[str, Any]) -> None:
    flag = flagd_flag(case.get("targeting"), **case.get("flag", {}))
    plan = plan_flagd({"colour": flag})
    ours, evaluation = compiled(plan.flags[0]), EvaluationState({}, {}, {}, 1_800_000_000.0)
    for context, expected in case["answers"]:
        result = ours.evaluate(context, evaluation)
        assert (result.variant or result.reason) == (expected or "DEFAULT"), context


@pytest.mark.parametrize("bucketing", BUCKETINGS)
def test_a_generation_of_bucketing__is_taken_by_name(bucketing: str) -> None:
    targeting = {"fractional": [["red", 1], ["blue", 1]]}
    document = {"flags": {"colour": flagd_flag(targeting)}}
    plan = plan_import("flagd", document, environment="production", bucketing=bucketing)
    flag = compiled(plan.flags[0])
    place = FRACTIONALS[bucketing]
    for number in range(100):
        context = {"targetingKey": f"user-{number}"}
        chosen = place([["red", 1], ["blue", 1]], {**context, "$flagd": {"flagKey": "colour"}})
        assert flag.evaluate(context).variant == chosen


@pytest.mark.parametrize(
    ("name", "bucketing", "problem"),
    [
        ("flagd", "sha1", r"^'sha1' is no bucketing of flagd's; use one of murmur3, cbor, float"),
        ("unleash", "float", "^Only flagd's files are bucketed in more than one way"),
    ],
)
def test_another_bucketing__is_refused(name: str, bucketing: str, problem: str) -> None:
    with pytest.raises(UnknownBucketing, match=problem):
        plan_import(name, {"flags": {}}, environment="production", bucketing=bucketing)


@pytest.mark.parametrize(
    ("values", "value_type"),
    [
        ([True, False], "boolean"),
        (["a"], "string"),
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([1.0], "number"),
        ([{}], "object"),
    ],
)
def test_variants__say_what_type_the_flag_is(values: list[object], value_type: str) -> None:
    variants = {f"v{index}": value for index, value in enumerate(values)}
    plan = plan_flagd({"a": flagd_flag(variants=variants, defaultVariant="v0")})
    assert plan.flags[0].definition["value_type"] == value_type
    compiled(plan.flags[0])


@pytest.mark.parametrize("name", [name for name, reader in FORMATS.items() if reader is None])
def test_a_format_that_is_to_come__says_which_there_are(name: str) -> None:
    with pytest.raises(
        UnknownFormat, match=f"^'{name}' is not available yet; available: native, flagd, unleash"
    ):
        plan_import(name, {}, environment="production")


def test_a_format_nobody_knows__says_which_there_are() -> None:
    with pytest.raises(UnknownFormat, match=r"'x\.n' is not a format we know; available: native"):
        plan_import("x.n", {}, environment="production")


_targeting_names = st.sampled_from(
    ["if", "==", "in", "var", "and", "!", "<", "fractional", "cat", "$ref", "starts_with"]
)
_nearly_logic = st.recursive(
    any_json | st.sampled_from(["red", "$flagd.flagKey", "loop", "e9"]),
    lambda inner: st.dictionaries(_targeting_names, inner | st.lists(inner), max_size=2),
    max_leaves=12,
)
_nearly_flags = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["ENABLED", "DISABLED"]) | any_json,
        "variants": st.just({"red": 1})
        | st.dictionaries(any_text, any_json, max_size=3)
        | any_json,
        "defaultVariant": st.just("red") | any_json,
        "targeting": _nearly_logic,
        "key": any_text,
    },
)


@relaxed
@given(
    st.dictionaries(any_text, _nearly_flags | any_json, max_size=3)
    | st.lists(_nearly_flags | any_json, max_size=3)
    | any_json,
    st.just(EVALUATORS) | any_json,
)
def test_any_json__is_planned_skipped_or_refused(flags: Any, evaluators: object) -> None:
    try:
        plan = plan_flagd(flags, **{"$evaluators": evaluators})
    except FileRefused:
        return
    assert len(plan.flags) + len(plan.skipped) == len(flags)
    for planned in plan.flags:
        with contextlib.suppress(DocumentError):  # reported when it is stored
            compiled(planned)


@relaxed
@given(any_json, st.sampled_from(["native", "flagd", "unleash"]))
def test_any_json__raises_nothing_but_refused(document: object, name: str) -> None:
    with contextlib.suppress(FileRefused):
        plan_import(name, document, environment="production")
