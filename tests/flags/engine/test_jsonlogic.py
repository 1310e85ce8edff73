"""JsonLogic against the published cases, and what holds of any logic and data."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import DocumentError
from flags.engine.jsonlogic import FRACTIONALS, compile_logic, read_logic
from flags.engine.jsonlogic.reading import ARITIES, MAX_LOGIC_DEPTH, MAX_LOGIC_NODES
from flags.engine.state import OverBudget, Steps
from tests.flags.engine import cases
from tests.flags.engine.documents import any_json, any_scalar, relaxed

PUBLISHED: dict[str, Any] = cases.load("jsonlogic")
CONTEXT: dict[str, Any] = PUBLISHED["data"]
TOO_MUCH = "too much"


def answer(logic: object, data: dict[str, Any], fractional: str = "murmur3") -> object:
    """What it makes of the data; TOO_MUCH where that would take too long."""
    run = compile_logic(read_logic(logic), fractional=fractional)
    try:
        return run(data, Steps())
    except OverBudget:
        return TOO_MUCH


def is_same(one: object, other: object) -> bool:
    """Equal, and true is not 1; a number is what it is, whole or not."""
    return one == other and isinstance(one, bool) is isinstance(other, bool)


@pytest.mark.parametrize("case", cases.named(PUBLISHED["cases"]))
def test_logic__published_case__has_its_result(case: dict[str, Any]) -> None:
    assert is_same(answer(case["logic"], case.get("data", CONTEXT)), case["result"])


@pytest.mark.parametrize("case", cases.named(PUBLISHED["fractional"]))
def test_fractional__published_case__has_its_variant(case: dict[str, Any]) -> None:
    assert is_same(answer(case["logic"], case["data"], case["fractional"]), case["result"])


@pytest.mark.parametrize("case", cases.named(PUBLISHED["differences"]))
def test_logic__where_others_differ__has_the_result_we_chose(case: dict[str, Any]) -> None:
    assert is_same(answer(case["logic"], PUBLISHED["differences_data"]), case["result"])


@pytest.mark.parametrize("case", cases.named(PUBLISHED["refused"]))
def test_read_logic__bad_logic__names_each_problem(case: dict[str, Any]) -> None:
    with pytest.raises(DocumentError) as refusal:
        read_logic(case["logic"], evaluators=case.get("evaluators"))
    problems = {problem.path: problem.message for problem in refusal.value.problems}
    assert sorted(problems) == sorted(case["problems"])
    assert all(words in problems[path] for path, words in case["problems"].items())


def test_published_cases__every_operation__has_one() -> None:
    named = json.dumps(PUBLISHED["cases"] + PUBLISHED["fractional"])
    assert [name for name in ARITIES if f'{{"{name}": ' not in named] == []


def test_read_logic__reference__is_replaced_by_its_evaluator() -> None:
    evaluators = {"is_ours": {"ends_with": [{"var": "email"}, {"$ref": "domain"}]}, "domain": "@a"}
    logic = read_logic({"if": [{"$ref": "is_ours"}, 1, {"$ref": "is_ours"}]}, evaluators=evaluators)
    ends_with = {"ends_with": [{"var": "email"}, "@a"]}
    assert logic.value == {"if": [ends_with, 1, ends_with]}
    assert compile_logic(logic)({"email": "alice@a"}, Steps()) == 1


def nested(levels: int) -> object:
    logic: object = {"var": "a"}
    for _ in range(levels - 2):
        logic = {"!": logic}
    return logic


def test_read_logic__as_deep_as_may_be__is_read_and_run() -> None:
    assert answer(nested(MAX_LOGIC_DEPTH), {"a": 1}) is True


@pytest.mark.parametrize("levels", [MAX_LOGIC_DEPTH + 1, 5_000])
def test_read_logic__deeper__is_refused(levels: int) -> None:
    with pytest.raises(DocumentError, match="at most 50 deep"):
        read_logic(nested(levels))


@pytest.mark.parametrize("make", [list, lambda numbers: {"+": list(numbers)}])
def test_read_logic__too_large__is_refused_once(make: Any) -> None:
    with pytest.raises(DocumentError, match="at most 10000 values") as refusal:
        read_logic(make(range(MAX_LOGIC_NODES + 1)))
    assert len(refusal.value.problems) == 1


def test_read_logic__evaluators_that_multiply__are_refused() -> None:
    evaluators: dict[str, object] = {"e0": 1}
    for number in range(20):
        evaluators[f"e{number + 1}"] = [{"$ref": f"e{number}"}] * 10
    with pytest.raises(DocumentError, match="at most 10000 values"):
        read_logic({"$ref": "e20"}, evaluators=evaluators)


def test_logic__lists_in_lists_in_lists__is_too_much() -> None:
    logic: object = {"var": ""}
    for _ in range(10):
        logic = {"map": [list(range(100)), logic]}
    assert answer(logic, {}) == TOO_MUCH


def test_logic__text_that_doubles__ends_without_an_answer() -> None:
    doubled = {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}
    assert answer({"reduce": [{"var": "l"}, doubled, "x"]}, {"l": [1] * 1_000}) is None


HUGE: dict[str, Any] = {"text": "9" * 1_000_000, "integer": 10**5_000, "list": [1] * 20_000}
HUGE["deep"] = []
for _ in range(50_000):
    HUGE["deep"] = [HUGE["deep"]]


@pytest.mark.parametrize("size", HUGE)
def test_logic__huge_value__answers_or_does_not_but_never_fails(size: str) -> None:
    value = {"var": "x"}
    for name, (least, most) in ARITIES.items():
        count = least if least > 1 or most == 1 else 2
        answer({name: [value] * count}, {"x": HUGE[size]})
    for fractional in FRACTIONALS:
        answer({"fractional": [value, ["a", 1]]}, {"x": HUGE[size]}, fractional)
    bucketed = {"fractional": [{"x": value, "y": 1}, ["a", 1]]}
    assert answer(bucketed, {"x": HUGE[size]}, "cbor") == "a"


names = st.sampled_from(["a", "b", "a.b", "", "0", "1", "accumulator", "current", "$flagd.flagKey"])
plain = st.booleans() | st.none() | names | st.integers(-3, 12) | st.floats(-2, 200, width=16)


def operations(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def of(name: str) -> st.SearchStrategy[Any]:
        least, most = ARITIES[name]
        arguments = st.lists(inner, min_size=least, max_size=int(min(most, least + 2)))
        return arguments.map(lambda given: {name: given})

    return st.sampled_from(sorted(ARITIES)).flatmap(of) | st.lists(inner, max_size=3)


logics = st.recursive(plain | names.map(lambda name: {"var": name}), operations, max_leaves=12)


@relaxed
@given(logics, st.dictionaries(names, any_json, max_size=4), st.sampled_from(sorted(FRACTIONALS)))
def test_logic__any_data__is_no_error(logic: object, data: dict[str, Any], fractional: str) -> None:
    answer(logic, data, fractional)


@relaxed
@given(logics)
def test_logic__dumped__reads_as_the_same(logic: object) -> None:
    dumped = read_logic(logic).value
    assert dumped == logic
    assert read_logic(json.loads(json.dumps(dumped))).value == dumped


@relaxed
@given(any_json | st.dictionaries(st.sampled_from(sorted(ARITIES)), any_json, max_size=1))
def test_read_logic__any_json__is_read_or_refused(value: object) -> None:
    with contextlib.suppress(DocumentError):
        answer(value, {})


@relaxed
@given(any_scalar, any_scalar)
def test_comparisons__any_scalars__agree_with_each_other(one: object, other: object) -> None:
    def compared(name: str, left: str, right: str) -> object:
        return answer({name: [{"var": left}, {"var": right}]}, {"a": one, "b": other})

    assert compared("==", "a", "b") is not compared("!=", "a", "b")
    assert compared("==", "a", "b") is compared("==", "b", "a")
    assert compared("<", "a", "b") is compared(">", "b", "a")
    assert compared("<=", "a", "b") is compared(">=", "b", "a")
    if compared("===", "a", "b"):
        assert compared("==", "a", "b")


def test_numbers__as_texts__are_read_as_flagd_reads_them() -> None:
    spelled = ["1", "+1", "1.", "01", "10e-1", "1_0", " 1", "0x1", "inf", "nan", "\u0661"]
    found = [text for text in spelled if answer({"==": [1, text]}, {}) is True]
    assert found == ["1", "+1", "1.", "01", "10e-1"]
