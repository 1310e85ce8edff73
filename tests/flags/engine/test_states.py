"""Flags among others: prerequisites, segments, exclusion groups, the instant."""

import json
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from flags.engine import (
    DocumentError,
    EvaluationState,
    Reason,
    compile_flag,
    compile_segment,
    depth_of,
    dump_group,
    dump_segment,
    find_cycle,
    parse_configuration,
    parse_definition,
    parse_group,
    parse_segment,
    references_of,
)
from tests.flags.engine import cases, documents
from tests.flags.engine.documents import BOOLEAN, configuration, environment, relaxed, rule, split
from tests.flags.engine.states import state_of

WORLDS = cases.load("worlds")
IN_COLOURS = {"percent": 100, "group": "colours"}
SLOTS = [{"flag": "red", "from": 0, "to": 30}, {"flag": "blue", "from": 30, "to": 80}]


@pytest.mark.parametrize("case", cases.named(WORLDS["evaluations"]))
def test_evaluate__published_case__is_met(case: dict[str, Any]) -> None:
    state = state_of(WORLDS["flags"], WORLDS["segments"], WORLDS["groups"], case.get("now", 0))
    result = state.flags[case["flag"]].evaluate(case["context"], state)
    assert (result.variant, result.reason) == (case["variant"], case["reason"])
    assert result.error_code == case.get("error_code")
    assert "metadata" not in case or result.metadata == case["metadata"]


def test_group__ten_thousand_users__are_in_one_audience_at_most_and_in_their_shares() -> None:
    flag = {"rules": [rule(audience=IN_COLOURS)]}
    group = {"salt": "pepper", "slots": SLOTS, "holdout": 20}
    state = state_of({"red": flag, "blue": flag}, groups={"colours": group})
    seen: Counter[tuple[str, ...]] = Counter()
    for number in range(10_000):
        context = {"targetingKey": f"user-{number}"}
        on = [k for k, one in state.flags.items() if one.evaluate(context, state).value is True]
        seen[tuple(on)] += 1
    assert set(seen) == {("red",), ("blue",), ()}
    for key, share in ((("red",), 0.3), (("blue",), 0.5), ((), 0.2)):
        assert abs(seen[key] - 10_000 * share) < 5 * math.sqrt(10_000 * share * (1 - share))


@relaxed
@given(st.integers(0, 100_000), st.integers(0, 100_000), st.text(min_size=1, max_size=20))
def test_audience__raised__only_ever_adds_users(low: int, high: int, user: str) -> None:
    low, high = sorted((low, high))
    group = {"salt": "pepper", "slots": SLOTS}

    def serves(thousandths: int) -> object:
        audience = {"percent": thousandths / 1000, "group": "colours"}
        flag = configuration(rules=[rule(audience=audience)])
        state = state_of({"red": flag}, groups={"colours": group})
        return state.flags["red"].evaluate({"targetingKey": user}, state).value

    assert serves(high) is True or serves(low) is False


@relaxed
@given(st.integers(0, 100_000), st.integers(0, 100_000), st.text(min_size=1, max_size=20))
def test_split__first_share_raised__only_ever_adds_users(low: int, high: int, user: str) -> None:
    low, high = sorted((low, high))
    values = [
        compile_flag(environment(fallthrough=split(weight))).evaluate({"targetingKey": user}).value
        for weight in (low, high)
    ]
    assert values in ([False, False], [False, True], [True, True], [None, None])


@pytest.mark.parametrize("algorithm", [{}, {"algorithm": "flagd"}, {"algorithm": "unleash"}])
def test_split__twenty_thousand_users__are_dealt_out_within_statistical_bounds(
    algorithm: dict[str, str],
) -> None:
    flag = compile_flag(environment(fallthrough=split(12_500, **algorithm)))
    answers = Counter(
        flag.evaluate({"targetingKey": f"user-{number}"}).variant for number in range(20_000)
    )
    share = 0.125
    assert abs(answers["on"] - 20_000 * share) < 5 * math.sqrt(20_000 * share * (1 - share))


def test_audience_and_split__of_one_rule__are_independent() -> None:
    """Of the tenth that gets in, half gets each variant: the two hashes have separate purposes."""
    rules = [rule(audience={"percent": 10}, serve=split(50_000))]
    flag = compile_flag(environment(rules=rules, fallthrough={"variant": "off"}))
    answers = [flag.evaluate({"targetingKey": f"user-{n}"}) for n in range(20_000)]
    inside = [one.variant for one in answers if one.reason is Reason.SPLIT]
    assert abs(len(inside) - 2_000) < 5 * math.sqrt(20_000 * 0.1 * 0.9)
    assert abs(inside.count("on") - len(inside) / 2) < 5 * math.sqrt(len(inside) / 4)


def test_random__unit__is_drawn_at_every_evaluation() -> None:
    drawn = iter(map(str, range(1000)))
    flag = compile_flag(environment(fallthrough=split(50_000, bucket_by="no", else_by=["$random"])))
    state = EvaluationState({}, {}, {}, 0.0, lambda: next(drawn))
    assert len({flag.evaluate({}, state).variant for _ in range(50)}) == 2
    assert flag.evaluate({}).error_code == "TARGETING_KEY_MISSING", "the engine draws nothing"


def test_segment__100000_keys__are_found_by_one_look_up() -> None:
    keys = [f"user-{number}" for number in range(100_000)]
    segment = compile_segment({"key": "beta", "included": keys})
    state = EvaluationState({}, {"beta": segment}, {}, 0.0)
    assert segment.contains({"targetingKey": "user-99999"}, state)
    assert not segment.contains({"targetingKey": "charlie"}, state)


def test_vendor_facts__of_flag_and_variant__stand_in_every_answer() -> None:
    variants = [
        {"key": "on", "value": True, "served_as": "disabled", "metadata": {"enabled": True}},
        {"key": "off", "value": False},
    ]
    document = {**environment(fallthrough={"variant": "on"}), "variants": variants}
    result = compile_flag({**document, "metadata": {"team": "shop"}}).evaluate({})
    assert (result.variant, result.label) == ("on", "disabled")
    assert result.metadata == {"team": "shop", "version": 1, "enabled": True}


@relaxed
@given(documents.referring_configurations(), documents.contexts)
@example(configuration(prerequisites=[{"flag": "checkout", "variants": ["on"]}]), {})
def test_evaluate__any_flag_in_any_world__answers_with_a_variant_or_an_error(
    flag: dict[str, Any], context: dict[str, Any]
) -> None:
    segments = {"testers": {"included": ["alice"]}}
    groups = {"colours": {"salt": "c", "slots": SLOTS}}
    state = state_of({"checkout": flag, "new-cart": configuration()}, segments, groups)
    result = state.flags["checkout"].evaluate(context, state)
    assert result.variant in ("on", "off") or result.reason in (Reason.ERROR, Reason.DEFAULT)
    json.dumps(dict(result.metadata), allow_nan=False)


@pytest.mark.parametrize(
    "document",
    [
        {"key": "beta"},
        {"key": "beta", "name": "Beta", "description": "x", "keyed_by": "company.id",
         "when": {"any": [{"segment": "staff"}]}, "included": ["a", "b"], "excluded": ["c"]},
    ],
)  # fmt: skip
def test_segment__dumped_and_parsed__is_the_same(document: dict[str, Any]) -> None:
    assert dump_segment(parse_segment(document)) == document


def test_group__dumped_and_parsed__is_the_same() -> None:
    document = {"key": "g", "name": "G", "salt": "s", "slots": [], "holdout": 0.001,
                "bucket_by": "company"}  # fmt: skip
    assert dump_group(parse_group(document)) == document
    with_slots = {"key": "g", "salt": "s", "slots": SLOTS, "holdout": 20.0}
    assert dump_group(parse_group(with_slots)) == with_slots


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"key": "g", "salt": "s", "slots": [SLOTS[0], SLOTS[0]]}, "slots[1].from"),
        ({"key": "g", "salt": "s", "slots": [{"flag": "a", "from": 5, "to": 5}]}, "slots[0].to"),
        ({"key": "g", "salt": "s", "slots": SLOTS, "holdout": 20.001}, "holdout"),
        ({"key": "g", "salt": "s", "holdout": 100.001}, "holdout"),
        ({"key": "g", "salt": ""}, "salt"),
        ({"key": "g", "salt": "s", "flags": []}, "flags"),
    ],
)
def test_group__bad_document__names_the_place(document: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse_group(document)
    assert path in [problem.path for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"key": "../x"}, "key"),
        ({"key": "s", "included": ["a", ""]}, "included[1]"),
        ({"key": "s", "included": ["a"], "excluded": ["a"]}, "excluded"),
        ({"key": "s", "when": {"flag": "x", "variants": ["on"]}}, "when"),
        ({"key": "s", "keyed_by": 5}, "keyed_by"),
        ({"key": "s", "members": []}, "members"),
    ],
)
def test_segment__bad_document__names_the_place(document: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as refused:
        parse_segment(document)
    assert path in [problem.path for problem in refused.value.problems]


def test_references__of_a_configuration__are_all_there() -> None:
    document = configuration(
        prerequisites=[{"flag": "a", "variants": ["on"]}],
        rules=[
            rule("r", when={"not": {"any": [{"segment": "s"}, {"flag": "b", "variants": ["x"]}]}},
                 audience={"percent": 5, "group": "g"}),
        ],
        fallthrough=split(5, overrides=[{"variant": "on", "when": {"segment": "t"}}]),
    )  # fmt: skip
    found = references_of(parse_configuration(document, parse_definition(BOOLEAN)))
    assert [found.flags, found.segments, found.groups] == [{"a", "b"}, {"s", "t"}, {"g"}]
    assert found.variants == {("a", "on"), ("b", "x")}


def test_instants__of_rules_and_segments__are_those_at_which_answers_change() -> None:
    late = {"attribute": "$now", "operator": "after", "values": ["2026-11-23T06:30:00+01:00"]}
    early = {"attribute": "$now", "operator": "lt", "values": [1000]}
    other = {"attribute": "signup", "operator": "after", "values": [5000]}
    rules = [rule("a", when={"any": [late, {"not": early}]}), rule("b", when=other)]
    assert compile_flag(environment(rules=rules)).instants == {1_795_411_800.0, 1000.0}
    assert compile_segment({"key": "s", "when": early}).instants == {1000.0}


def test_find_cycle__shows_the_way_or_nothing() -> None:
    graph = {"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": []}
    assert find_cycle("a", graph) == ["a", "b", "c", "a"]
    assert find_cycle("d", graph) is None
    assert find_cycle("a", {"a": ["a"]}) == ["a", "a"]
    assert find_cycle("x", graph) is None


def test_depth__long_chain__is_counted_to_the_limit() -> None:
    chain = {str(n): [str(n + 1)] for n in range(100_000)}
    assert depth_of("99998", chain, most=20) == 3
    assert depth_of("0", chain, most=20) == 21
