"""The sample user, and who gets it of everyone."""

from typing import Any

import pytest

from flags.engine import parse_configuration, parse_definition, parse_segment
from flags.targeting.sample import SampleUser, attributes_in, context_of
from flags.targeting.trying import bars, distribution
from portal.lib.errors import Invalid
from tests.flags.engine.documents import BOOLEAN, configuration, rule, split

DEFINITION = parse_definition(BOOLEAN)
COUNTRY = {"attribute": "country", "operator": "in", "values": ["DE"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("DE", "DE"),
        ("5", 5),
        ('"5"', "5"),
        ("true", True),
        ("truely", "truely"),
        ("1.2.0", "1.2.0"),
        ("[1, 2]", [1, 2]),
        ("{oops", "{oops"),
        ("2026-11-23", "2026-11-23"),
    ],
)
def test_a_field__is_read_as_people_mean_it(text: str, value: object) -> None:
    assert context_of(SampleUser("u", {"a": text, "b": " "}, ""), ["a", "b"]) == {
        "a": value,
        "targetingKey": "u",
    }


def test_json__wins_over_fields_and_is_refused_in_words() -> None:
    assert context_of(SampleUser("u", {"a": "1"}, '{"a": 2}'), ["a"]) == {
        "a": 2,
        "targetingKey": "u",
    }
    for text, problem in [("[]", "one JSON object"), ('{"a', "This is not JSON")]:
        with pytest.raises(Invalid) as refused:
            context_of(SampleUser("", {}, text), [])
        assert problem in refused.value.problems["sample.json"]


def test_attributes__are_those_looked_at_also_in_segments() -> None:
    when = {"all": [{"segment": "s"}, {"not": {"any": [COUNTRY, {"segment": "s"}]}}]}
    now = {"attribute": "$now", "operator": "gt", "values": [1]}
    segment = parse_segment(
        {"key": "s", "when": {"any": [{"segment": "s"}, now]}, "keyed_by": "id"}
    )
    served = split(5, bucket_by="company", else_by=["sessionId"])
    parsed = parse_configuration(configuration(rules=[rule(when=when, serve=served)]), DEFINITION)
    assert attributes_in(parsed, {"s": segment}) == ["id", "country", "company", "sessionId"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"off": 100}),
        ({"enabled": False}, {"off": 100}),
        ({"fallthrough": split(25_000)}, {"on": 25, "off": 75}),
        ({"fallthrough": {"code_default": True}}, {}),
        ({"rules": [rule(when=COUNTRY)]}, {"off": 100}),
        ({"rules": [rule()]}, {"on": 100}),
        ({"rules": [rule(audience={"percent": 25})]}, {"on": 25, "off": 75}),
        # The same hash lets the same users in first; another one is independent of it.
        (
            {"rules": [rule("a", audience={"percent": 20}), rule("b", audience={"percent": 50})]},
            {"on": 50, "off": 50},
        ),
        (
            {
                "rules": [
                    rule("a", audience={"percent": 50}),
                    rule("b", audience={"percent": 50, "bucket_by": "company"}),
                ]
            },
            {"on": 75, "off": 25},
        ),
    ],
)
def test_everyone_no_condition_matches__is_dealt_out_rule_by_rule(
    changes: dict[str, Any], expected: dict[str, float]
) -> None:
    found = distribution(parse_configuration(configuration(**changes), DEFINITION), DEFINITION)
    assert {one.variant: one.percent for one in found} == pytest.approx(expected)


def test_a_bar__is_of_those_who_match_its_rule() -> None:
    one = rule(name="Some", when=COUNTRY, audience={"percent": 40}, serve=split(50_000))
    (bar,) = bars(parse_configuration(configuration(rules=[one]), DEFINITION), DEFINITION)
    assert bar.title == "Rule 1: Some"
    assert [(one.variant, one.percent) for one in bar.portions] == [
        ("on", 20),
        ("off", 20),
        ("continue to the next rule", 60),
    ]
