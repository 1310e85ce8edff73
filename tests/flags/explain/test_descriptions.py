"""Explanations in words: every step says what came of it, with the value that it saw."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import EvaluationState, parse_segment
from flags.engine.explaining import explain
from flags.engine.parsing import parse_environment
from flags.explain.descriptions import ConditionWords, ExplanationWords, in_words
from tests.flags.engine.documents import (
    contexts,
    environment,
    referring_configurations,
    relaxed,
    rule,
    split,
)
from tests.flags.engine.states import state_of

TESTERS = {"when": {"attribute": "country", "operator": "in", "values": ["DE"]}, "included": ["a"]}
SEGMENTS = {"testers": parse_segment({"key": "testers", **TESTERS})}
COLOURS = {"salt": "g", "slots": [{"flag": "checkout", "from": 0, "to": 50}]}
COUNTRY = {"attribute": "country", "operator": "in", "values": ["DE"]}


def surroundings() -> EvaluationState:
    return state_of({"new-cart": {}}, {"testers": TESTERS}, {"colours": COLOURS})


def explained(context: dict[str, Any], **changes: Any) -> ExplanationWords:
    flag = parse_environment(environment(**changes))
    return in_words(explain(flag, context, surroundings(), SEGMENTS))


def said(step: int, context: dict[str, Any], **changes: Any) -> tuple[str, str]:
    found = explained(context, **changes).steps[step]
    return found.title, found.outcome


def line_of(when: dict[str, Any], context: dict[str, Any]) -> ConditionWords:
    line = explained(context, rules=[rule(when=when)]).steps[0].line
    assert line
    return line


@pytest.mark.parametrize(
    ("when", "context", "words", "saw"),
    [
        (COUNTRY, {"country": "FR"}, "country is one of DE", 'it is "FR"'),
        (COUNTRY, {}, "country is one of DE", "it is not given"),
        ({"segment": "testers"}, {"targetingKey": "a"}, "in segment “testers”", "always in"),
        (
            {"flag": "new-cart", "variants": ["on"]},
            {},
            "flag “new-cart” serves “on”",
            "it serves “off”",
        ),
        ({"flag": "none", "variants": ["on"]}, {}, "flag “none” serves “on”", "serves nothing"),
        ({"jsonlogic": {"var": "a"}}, {"a": 5}, 'JsonLogic {"var": "a"} holds', "it comes to 5"),
        ({"not": COUNTRY}, {}, "this does not hold", ""),
        ({"all": []}, {}, "everyone", ""),
    ],
)
def test_a_condition__says_what_it_saw(
    when: dict[str, Any], context: dict[str, Any], words: str, saw: str
) -> None:
    line = line_of(when, context)
    assert line.words == words
    assert saw in line.saw


@pytest.mark.parametrize(
    ("step", "changes", "outcome"),
    [
        (0, {"enabled": False}, ("Off", "Serves “off”.")),
        (0, {"rules": [rule(name="All")]}, ("Rule 1: All", "Serves “on”.")),
        (0, {"rules": [rule(when=COUNTRY)]}, ("Rule 1", "Does not match.")),
        (
            0,
            {"rules": [rule(audience={"percent": 0})]},
            ("Rule 1", "Matches, but the user is not in the rollout."),
        ),
        (1, {"rules": [rule()]}, ("Everyone else", "Not evaluated: decided earlier.")),
        (0, {"targets": [{"variant": "on", "keys": ["b"]}]}, ("Individual users", "Not listed.")),
        (
            0,
            {"prerequisites": [{"flag": "new-cart", "variants": ["on"]}]},
            ("Prerequisites", "Serves “off”."),
        ),
        (
            0,
            {"fallthrough": {"code_default": True}},
            ("Everyone else", "the default in the code of the application"),
        ),
    ],
)
def test_a_step__says_what_came_of_it(
    step: int, changes: dict[str, Any], outcome: tuple[str, str]
) -> None:
    assert said(step, {"targetingKey": "u"}, **changes) == outcome


def test_places_on_lines__say_who_lies_where() -> None:
    (step,) = explained({"targetingKey": "u"}, fallthrough=split(50_000)).steps
    (place,) = step.places
    assert place.startswith("targetingKey “u” is in bucket ")
    (step,) = explained({}, fallthrough=split(50_000)).steps
    assert step.places == ["No bucket: targetingKey is not given."]


def test_what_cannot_be_asked__is_an_error_that_says_why() -> None:
    found = explained({}, rules=[rule(when={"segment": "nowhere"})])
    assert found.is_error
    assert "the segment 'nowhere' cannot be evaluated" in found.why
    line = found.steps[0].line
    assert line
    assert line.problem


@relaxed
@given(referring_configurations(), contexts, st.booleans())
def test_whatever_is_explained__has_words_and_one_step_that_decides(
    document: dict[str, Any], context: dict[str, Any], enabled: bool
) -> None:
    found = explained(context, **{**document, "enabled": enabled})
    assert found.why
    assert sum(step.decides for step in found.steps) == 1
    assert all(step.title and step.outcome for step in found.steps)
