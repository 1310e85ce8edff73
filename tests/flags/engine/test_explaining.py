"""Explanations agree with evaluations, and show what decided."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from flags.engine import EvaluationState, Reason, parse_segment
from flags.engine.explaining import Explanation, explain
from flags.engine.parsing import parse_environment
from tests.flags.engine import cases, documents
from tests.flags.engine.documents import configuration, environment, relaxed, rule, split
from tests.flags.engine.states import state_of

WORLDS = cases.load("worlds")
SEGMENTS: dict[str, Any] = {
    "testers": {
        "included": ["alice"],
        "excluded": ["bob"],
        "when": {"attribute": "country", "operator": "exists"},
    },
}
GROUPS: dict[str, Any] = {
    "colours": {"salt": "c", "slots": [{"flag": "checkout", "from": 10, "to": 90}]}
}


def explained(
    flag: Mapping[str, Any],
    context: Mapping[str, object],
    state: EvaluationState,
    key: str = "checkout",
) -> Explanation:
    segments = {k: parse_segment({"key": k, **one}) for k, one in SEGMENTS.items()}
    document = {**environment(**flag), "key": key}
    return explain(parse_environment(document), context, state, segments)


@relaxed
@given(documents.referring_configurations(), documents.contexts)
def test_explain__any_flag_and_any_context__agrees_with_evaluate(
    flag: dict[str, Any], context: dict[str, Any]
) -> None:
    other = configuration(rules=[rule(when={"attribute": "age", "operator": "exists"})])
    state = state_of({"checkout": flag, "new-cart": other}, SEGMENTS, GROUPS, now=1000)
    assert explained(flag, context, state).result == state.flags["checkout"].evaluate(
        context, state
    )


@pytest.mark.parametrize("case", cases.named(WORLDS["evaluations"]))
def test_explain__published_case__agrees_with_evaluate(case: dict[str, Any]) -> None:
    state = state_of(WORLDS["flags"], WORLDS["segments"], WORLDS["groups"], case.get("now", 0))
    segments = {k: parse_segment({"key": k, **one}) for k, one in WORLDS["segments"].items()}
    document = {**environment(**WORLDS["flags"][case["flag"]]), "key": case["flag"]}
    found = explain(parse_environment(document), case["context"], state, segments)
    expected = state.flags[case["flag"]].evaluate(case["context"], state)
    assert found.result == expected


def test_explain__rule_that_fails__shows_the_value_it_saw_and_goes_on() -> None:
    when = {
        "all": [
            {"attribute": "country", "operator": "in", "values": ["DE"]},
            {"segment": "testers"},
        ]
    }
    flag = configuration(rules=[rule("de", when=when), rule("rest", serve={"variant": "on"})])
    found = explained(flag, {"country": "FR", "targetingKey": "bob"}, state_of({}, SEGMENTS))
    first, second, last = found.steps
    assert first.condition is not None
    country, testers = first.condition.parts
    assert (country.matched, country.saw) == (False, "FR")
    assert (testers.matched, testers.saw, testers.parts[0].saw) == (False, "excluded", "FR")
    assert (first.reached, second.reached, last.reached) == (True, True, False)
    assert found.result is second.result


def test_explain__share_of_a_rule__shows_the_point_and_the_threshold() -> None:
    flag = configuration(
        rules=[rule(audience={"percent": 25}, serve=split(50_000))], fallthrough=split(1)
    )
    found = explained(flag, {"targetingKey": "alice"}, state_of({}))
    audience, share = found.steps[0].audience, found.steps[0].split
    assert audience is not None
    assert share is not None
    assert (audience.by, audience.unit, audience.seed) == (("targetingKey",), "alice", "s")
    assert audience.parts == (("audience", 0, 25_000),)
    assert audience.point is not None
    assert (audience.chosen is not None) is (audience.point < 25_000)
    assert share.parts == (("on", 0, 50_000), ("off", 50_000, 100_000))
    assert found.result.reason is Reason.SPLIT


def test_explain__missing_unit__says_which_attributes_were_looked_for() -> None:
    flag = configuration(fallthrough=split(50_000, bucket_by="userId", else_by=["sessionId"]))
    found = explained(flag, {"targetingKey": "alice"}, state_of({}))
    bucket = found.steps[-1].split
    assert bucket is not None
    assert (bucket.by, bucket.unit, bucket.point) == (("userId", "sessionId"), None, None)
    assert found.result.reason is Reason.ERROR


def test_explain__group__shows_every_flags_part_and_where_the_user_lies() -> None:
    flag = configuration(rules=[rule(audience={"percent": 100, "group": "colours"})])
    found = explained(flag, {"targetingKey": "alice"}, state_of({}, groups=GROUPS))
    group = found.steps[0].group
    assert group is not None
    assert (group.parts, group.unit) == ((("checkout", 10_000, 90_000),), "alice")
    assert (group.chosen == "checkout") is (found.result.value is True)
