"""Flags in words: true, complete, and never the same for two different things."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from flags.core import change_descriptions, descriptions
from flags.core.descriptions import OPERATOR_WORDS, VALUE_HINTS
from flags.engine import OPERATORS, Configuration, parse_configuration, parse_definition
from tests.flags.engine.documents import (
    BOOLEAN,
    configuration,
    referring_configurations,
    relaxed,
    rule,
    split,
)

DEFINITION = parse_definition(BOOLEAN)
COUNTRY = {"attribute": "country", "operator": "in", "values": ["DE", "AT"]}
AGE = {"attribute": "age", "operator": "gte", "values": [18]}


def parsed(**changes: object) -> Configuration:
    return parse_configuration(configuration(**changes), DEFINITION)


def changes_between(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return change_descriptions.configuration_changes(parsed(**before), parsed(**after))


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (COUNTRY, "country is one of DE, AT"),
        ({"all": [COUNTRY, AGE]}, "country is one of DE, AT and age is at least 18"),
        ({"any": [COUNTRY, AGE]}, "country is one of DE, AT or age is at least 18"),
        ({"not": COUNTRY}, "not (country is one of DE, AT)"),
        (
            {"any": [{"all": [COUNTRY, AGE]}, {"attribute": "vip", "operator": "is_true"}]},
            "(country is one of DE, AT and age is at least 18) or vip is true",
        ),
        ({"any": []}, "nobody"),
        ({"attribute": "a", "operator": "in", "values": list(range(10))}, "… 7 and 2 more"),
        ({"attribute": "n", "operator": "gt", "values": [2.5]}, "n is more than 2.5"),
        ({"attribute": "n", "operator": "lt", "values": [2.0]}, "n is less than 2"),
        ({"attribute": "b", "operator": "equals", "values": [True]}, "b is yes"),
        ({"attribute": "n", "operator": "modulo", "values": [10, 3]}, "n divided by 10 leaves 3"),
        ({**COUNTRY, "ignore_case": True}, "country is one of DE, AT (ignoring case)"),
    ],
)
def test_conditions_are_clauses(when: dict[str, Any], words: str) -> None:
    (one,) = parsed(rules=[rule(when=when)]).rules
    found = descriptions.condition(one.when)
    assert found.endswith(words[2:]) if words.startswith("… ") else found == words


def test_every_operator_has_words_and_no_others_do() -> None:
    assert set(OPERATOR_WORDS) == set(OPERATORS)
    assert set(VALUE_HINTS) - {""} <= set(OPERATORS)


def test_a_rule_is_a_sentence() -> None:
    quarter = {"percent": 25.0, "bucket_by": "company"}
    (all_of_them, some) = parsed(
        rules=[rule("a"), rule("b", when=COUNTRY, audience=quarter, serve=split(12_500))]
    ).rules
    assert descriptions.rule(all_of_them) == "all users get “on”"
    assert descriptions.rule(some) == (
        "25 % of values of company where country is one of DE, AT get "
        "“on” to 12.5 %, “off” to 87.5 % of users"
    )


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (
            split(1_000, else_by=["sessionId"]),
            "“on” to 1 %, “off” to 99 % of users, else values of sessionId",
        ),
        (
            split(1_000, overrides=[{"variant": "off", "when": COUNTRY}]),
            "“off” where country is one of DE, AT; else “on” to 1 %, “off” to 99 % of users",
        ),
        (
            split(1_000, algorithm="unleash"),
            "“on” to 1 %, “off” to 99 % of users (buckets as in Unleash)",
        ),
        ({"code_default": True}, "the default in the code of the application"),
    ],
)
def test_whatever_is_served_has_words(serve: dict[str, Any], words: str) -> None:
    assert descriptions.serve(parsed(fallthrough=serve).fallthrough) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"enabled": False}, "everyone gets “off”"),
        ({}, "everyone gets “off”"),
        ({"rules": [rule()]}, "1 rule, else “off”"),
        ({"rules": [rule("a"), rule("b")]}, "2 rules, else “off”"),
        ({"fallthrough": split(1_000)}, "everyone gets “on” to 1 %, “off” to 99 % of users"),
    ],
)
def test_a_configuration_in_a_few_words(changes: dict[str, Any], words: str) -> None:
    assert descriptions.summary(parsed(**changes)) == words


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        ({}, {"enabled": False}, ["Turned off."]),
        ({"enabled": False}, {}, ["Turned on."]),
        ({}, {"off_variant": "on"}, ["While off, everyone gets “on” instead of “off”."]),
        ({}, {"fallthrough": {"variant": "on"}}, ["Everyone else gets “on” instead of “off”."]),
        ({}, {"salt": "t"}, ["Users are reshuffled: they may get another variant."]),
        ({}, {"rules": [rule()]}, ["New rule: all users get “on”."]),
        ({"rules": [rule(name="All")]}, {}, ["Rule removed: “All”, all users get “on”."]),
        (
            {"rules": [rule("a"), rule("b")]},
            {"rules": [rule("b"), rule("a")]},
            ["The order of the rules changed."],
        ),
        (
            {"rules": [rule()]},
            {"rules": [rule(when=COUNTRY)]},
            [
                "Rule changed: all users where country is one of DE, AT get “on”. "
                "It was: all users get “on”."
            ],
        ),
        (
            {"targets": [{"variant": "on", "keys": ["a", "b"]}]},
            {"targets": [{"variant": "off", "keys": ["b"]}]},
            ["User a is no longer listed individually.", "User b always gets “off”."],
        ),
    ],
)
def test_each_change_has_its_sentence(
    before: dict[str, Any], after: dict[str, Any], sentences: list[str]
) -> None:
    assert changes_between(before, after) == sentences


def test_many_single_users_are_counted() -> None:
    targets = [{"variant": "on", "keys": [f"user-{number:03}" for number in range(200)]}]
    sentences = changes_between({}, {"targets": targets})
    assert len(sentences) == 11
    assert sentences[-1] == "… and 190 more individual users."


@pytest.mark.parametrize(
    "values", [([*range(9), "x"], [*range(9), "y"]), (["5"], [5]), (["yes"], [True])]
)
def test_what_words_leave_out_is_said_to_be_left_out(values: tuple[list[object], ...]) -> None:
    before, after = (
        {"rules": [rule(when={"attribute": "a", "operator": "in", "values": one})]}
        for one in values
    )
    (sentence,) = changes_between(before, after)
    assert sentence.startswith("Rule changed in a detail that is not put into words: ")


def test_another_seed_is_said_to_deal_out_anew() -> None:
    (sentence,) = changes_between(
        {"fallthrough": split(1, algorithm="flagd", seed="a")},
        {"fallthrough": split(1, algorithm="flagd", seed="b")},
    )
    assert sentence.endswith("of users (buckets as in flagd) as before, but reshuffled.")


def essence_of(whole: Configuration) -> object:
    """The same users singled out in another order are the same users."""
    singled_out = {key: target.variant for target in whole.targets for key in target.keys}
    return replace(whole, targets=()), singled_out


@relaxed
@given(referring_configurations(), referring_configurations())
def test_no_difference_goes_unmentioned(before: dict[str, Any], after: dict[str, Any]) -> None:
    """What the review does not mention could not be saved, and nobody would find it later."""
    old, new = (parse_configuration(one, DEFINITION) for one in (before, after))
    sentences = change_descriptions.configuration_changes(old, new)
    if essence_of(old) != essence_of(new):
        assert sentences
    assert change_descriptions.configuration_changes(old, old) == []


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({}, []),
        ({"name": "Checkout"}, ["Name: Checkout instead of nothing."]),
        ({"tags": ["a", "b"]}, ["Tags: a, b instead of nothing."]),
        ({"client_visible": True}, ["Visible to public keys: yes instead of no."]),
        (
            {"variants": [*BOOLEAN["variants"], {"key": "maybe", "value": True}]},
            ["Variant “maybe” added."],
        ),
        ({"variants": [BOOLEAN["variants"][1]]}, ["Variant “on” removed."]),
        ({"variants": BOOLEAN["variants"][::-1]}, ["The order of the variants changed."]),
        (
            {"variants": [BOOLEAN["variants"][0], {"key": "off", "value": True}]},
            ["Variant “off” changed."],
        ),
    ],
)
def test_each_change_of_a_definition_has_its_sentence(
    changes: dict[str, Any], sentences: list[str]
) -> None:
    after = parse_definition({**BOOLEAN, **changes})
    assert change_descriptions.definition_changes(DEFINITION, after) == sentences
