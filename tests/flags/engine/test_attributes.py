"""What documents read of a context, and contexts cut down to it."""

import copy
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import (
    EVERYTHING,
    EvaluationState,
    attributes_of,
    compile_segment,
    minimised,
    units_of,
)
from flags.engine.parsing import parse_environment
from tests.flags.engine import documents
from tests.flags.engine.documents import configuration, environment, relaxed, rule, split
from tests.flags.engine.states import state_of

SEGMENTS: dict[str, Any] = {
    "testers": {
        "included": ["alice"],
        "keyed_by": "account.id",
        "when": {"attribute": "country", "operator": "exists"},
    },
}
GROUPS: dict[str, Any] = {
    "colours": {"salt": "c", "slots": [{"flag": "checkout", "from": 10, "to": 90}]}
}


def read_in(state: EvaluationState) -> frozenset[str]:
    flags = (attributes_of(one.source.configuration) for one in state.flags.values())
    segments = (attributes_of(one.source) for one in state.segments.values())
    groups = (attributes_of(one.source) for one in state.groups.values())
    return frozenset().union(*flags, *segments, *groups)


@relaxed
@given(documents.referring_configurations(), documents.contexts, st.booleans())
def test_minimised__any_flag_and_any_context__answers_as_the_whole_does(
    flag: dict[str, Any], context: dict[str, Any], nested: bool
) -> None:
    other = configuration(rules=[rule(when={"attribute": "age", "operator": "exists"})])
    state = state_of({"checkout": flag, "new-cart": other}, SEGMENTS, GROUPS, now=1000)
    whole = {**context, "secret": "x", "account": {"id": "alice", "secret": "x"}}
    before = copy.deepcopy(whole)
    kept = minimised(whole, read_in(state))
    assert whole == before
    assert "secret" not in kept
    assert kept.get("account", {"id": "alice"}) == {"id": "alice"}
    evaluate = state.flags["checkout"].evaluate
    assert evaluate(kept, state) == evaluate(whole, state)


@pytest.mark.parametrize(
    ("changes", "reads", "units"),
    [
        ({}, set(), set()),
        ({"targets": [{"variant": "on", "keys": ["a"]}]}, {"targetingKey"}, {"targetingKey"}),
        (
            {"fallthrough": split(50, bucket_by="team", else_by=["$random"])},
            {"team"},
            {"team"},
        ),
        (
            {"rules": [rule(audience={"percent": 1, "bucket_by": "team"}, when={"all": []})]},
            {"team"},
            {"team"},
        ),
        ({"rules": [rule(when={"attribute": "$now", "operator": "exists"})]}, set(), set()),
        (
            {
                "rules": [
                    rule(
                        when={
                            "jsonlogic": {
                                "and": [
                                    {"var": ["plan.name", "free"]},
                                    {"var": "$flagd.timestamp"},
                                    {"some": [{"var": "tags"}, {"==": [{"var": ""}, "x"]}]},
                                    {"missing": ["a", "b"]},
                                    {"missing_some": [1, ["c"]]},
                                ]
                            }
                        }
                    )
                ]
            },
            {"plan.name", "tags", "a", "b", "c"},
            set(),
        ),
        (
            {"fallthrough": {"jsonlogic": {"fractional": [["on", 1]]}}},
            {"targetingKey"},
            set(),
        ),
        (
            {"fallthrough": {"jsonlogic": {"if": [{"var": {"cat": ["a", "b"]}}, "on", None]}}},
            {EVERYTHING},
            set(),
        ),
    ],
)
def test_attributes__of_each_part(
    changes: dict[str, Any], reads: set[str], units: set[str]
) -> None:
    document = {"fallthrough": {"variant": "on"}, **changes}
    parsed = parse_environment(environment(**document)).configuration
    assert attributes_of(parsed) == frozenset(reads)
    assert units_of(parsed) == frozenset(units)


def test_attributes__of_a_segment__its_key_only_where_keys_are_listed() -> None:
    when = {"attribute": "country", "operator": "exists"}
    plain = compile_segment({"key": "a", "when": when, "keyed_by": "team"}).source
    listed = compile_segment({"key": "a", "when": when, "keyed_by": "team", "included": ["x"]})
    assert attributes_of(plain) == {"country"}
    assert attributes_of(listed.source) == {"country", "team"}


@pytest.mark.parametrize(
    ("context", "kept"),
    [
        ({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1}}),
        ({"a.b": 1, "a": {"b": 2, "c": 3}}, {"a.b": 1, "a": {"b": 2}}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}]}),
        ({"a": None}, {"a": None}),
        ({}, {}),
    ],
)
def test_minimised__a_dotted_path(context: dict[str, Any], kept: dict[str, Any]) -> None:
    assert minimised(context, ["a.b"]) == kept


def test_minimised__a_path_and_what_lies_above_it__leaves_the_context_alone() -> None:
    context = {"a": {"b": {"c": 1}, "d": 2}}
    assert minimised(context, ["a.b.c", "a", "a.b"]) == context
    assert context == {"a": {"b": {"c": 1}, "d": 2}}
