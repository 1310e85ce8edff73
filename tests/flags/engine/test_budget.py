"""What one evaluation may cost: beyond it the flag is an error, and everything else goes on."""

from typing import Any

import pytest

from flags.engine import MAX_STEPS, EvaluationState, Steps, compile_flag, compile_segment, limits
from flags.engine.explaining import explain
from flags.engine.parsing import parse_environment
from tests.flags.engine.documents import environment, rule, split

LONG = "a" * 900_000
MANY = list(range(10_000))
CONTEXT: dict[str, Any] = {"targetingKey": "u", "long": LONG, "many": MANY, "deep": {"x": LONG}}


def when(operator: str, *values: object, attribute: str = "long", **more: object) -> Any:
    return {"attribute": attribute, "operator": operator, "values": list(values), **more}


def logic(value: object) -> Any:
    return {"jsonlogic": value}


def state(**segments: Any) -> EvaluationState:
    documents = {key: {"key": key, "when": one} for key, one in segments.items()}
    return EvaluationState(
        {}, {key: compile_segment(one) for key, one in documents.items()}, {}, 0.0
    )


def rules(*conditions: Any, times: int = 1, **more: Any) -> dict[str, Any]:
    made = [rule(f"r{n}", when=one, **more) for n, one in enumerate(times * conditions)]
    return environment(rules=made)


VALUES = [f"value-{n}" for n in range(900)]
LONG_VAR: Any = {"var": "long"}
TOO_MUCH: dict[str, dict[str, Any]] = {
    "many texts in a long one": rules(when("contains", *VALUES), times=20),
    "the same, negated": rules(when("not_contains", *VALUES)),
    "the same, nested": rules({"not": {"any": [when("contains", *VALUES)]}}),
    "the same, by a path": rules(when("contains", *VALUES, attribute="deep.x")),
    "a long text folded": rules(when("equals", "b", ignore_case=True)),
    "many prefixes": rules(when("starts_with", *map(str, MANY)), times=25),
    "patterns": rules(
        when("matches", "[ab]*a[ab]{500}c", *(f"x{n}$" for n in range(90)), attribute="text")
    ),
    "lists": rules(when("array_contains_any", -1, attribute="many"), times=6),
    "a long unit": rules({"all": []}, audience={"percent": 1, "bucket_by": "long"}),
    "a long unit that is split": environment(fallthrough=split(1, bucket_by="long")),
    "logic, in a list": rules(logic({"in": [-1, {"var": "many"}]}), times=3),
    "logic, in a text": rules(logic({"in": ["b", LONG_VAR]}), times=3),
    "logic, equal texts": rules(logic({"!=": [LONG_VAR, LONG_VAR]}), times=4),
    "logic, a made-up path": rules(logic({"var": [LONG_VAR]})),
    "logic, missing": rules(logic({"missing": LONG_VAR})),
    "logic, long sums": rules(logic({"!": [{"+": {"var": "many"}}]}), times=3),
    "logic, lists of lists": rules(logic({"map": [{"var": "many"}, {"in": [-1, [1, 2, 3]]}]})),
    "logic, contexts copied": rules(logic({"!!": [{"var": "none"}]}), times=200),
    "versions": rules({"any": [when("semver_gt", "1.2.3", attribute="version")] * 900}),
    "addresses": rules({"any": [when("in_cidr", "10.0.0.0/8", attribute="address")] * 600}),
    "instants": rules({"any": [when("before", "2020-01-01", attribute="at")] * 900}),
    "more conditions than steps": rules(
        {"all": [{"any": [{"attribute": "none", "operator": "exists"}] * 999}] * 51}
    ),
}
WIDE = {**CONTEXT, "text": "ab" * 5_000, "version": "1.0.0", "address": "::1", "at": "2026-01-01"}
WIDE |= {f"a{n}": n for n in range(9_000)}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_too_much_work__is_an_error_of_the_flag_and_explained_as_one(name: str) -> None:
    document = TOO_MUCH[name]
    result = compile_flag(document).evaluate(WIDE)
    assert (result.reason, result.error_code) == ("ERROR", "GENERAL")
    assert str(MAX_STEPS) in (result.error_details or "")
    explained = explain(parse_environment(document), WIDE, state(), {})
    assert explained.result == result


def test_segments_that_multiply__are_too_much() -> None:
    segments: dict[str, Any] = {"s0": {"attribute": "none", "operator": "exists"}}
    for number in range(18):
        segments[f"s{number + 1}"] = {"any": [{"segment": f"s{number}"}] * 2}
    document = rules({"segment": "s18"})
    there = state(**segments)
    assert "steps" in (compile_flag(document).evaluate({}, there).error_details or "")
    parsed = {key: one.source for key, one in there.segments.items()}
    assert explain(parse_environment(document), {}, there, parsed).result.reason == "ERROR"


def test_flags_that_ask_each_other__pay_for_all_of_them() -> None:
    flags = {"f0": compile_flag({**environment(rules=[rule()] * 1), "key": "f0"})}
    for number in range(18):
        asked = {"flag": f"f{number}", "variants": ["none"]}
        document = {**rules({"any": [asked, asked]}), "key": f"f{number + 1}"}
        flags[f"f{number + 1}"] = compile_flag(document)
    there = EvaluationState(flags, {}, {}, 0.0)
    assert "steps" in (flags["f18"].evaluate({}, there).error_details or "")
    assert flags["f4"].evaluate({}, there).reason != "ERROR"


@pytest.mark.parametrize(
    "document",
    [
        rules(when("contains", *(f"value-{n}" for n in range(limits.MAX_CONDITION_VALUES)))),
        rules(when("contains", *VALUES, attribute="page")),
        rules(when("in", *map(str, MANY)), times=20),
        rules(when("matches", *(f"robot-{n}/" for n in range(limits.MAX_PATTERNS)))),
        rules(when("array_contains_all", 1, 2, attribute="many"), times=4),
        rules(logic({"in": [LONG_VAR, [str(n) for n in range(5_000)]]}), times=100),
        rules(logic({"filter": [{"var": "some"}, {"!": {"var": ""}}]})),
    ],
    ids=["contains", "contains in a page", "in", "patterns", "lists", "logic", "map"],
)
def test_what_is_large_but_usual__is_evaluated(document: dict[str, Any]) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0"
    context: dict[str, Any] = {"targetingKey": "u", "long": agent, "page": "a" * 2_000}
    context |= {"many": MANY, "some": MANY[:5_000]}
    result = compile_flag(document).evaluate(context)
    assert result.reason != "ERROR", result.error_details


def test_every_evaluation__begins_with_all_its_steps() -> None:
    flag = compile_flag(rules(when("array_contains_any", -1, attribute="many"), times=4))
    there = EvaluationState({}, {}, {}, 0.0, steps=Steps())
    assert {str(flag.evaluate(CONTEXT, there).reason) for _time in range(3)} == {"DEFAULT"}
