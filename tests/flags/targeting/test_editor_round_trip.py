"""What the editor shows is what it saves: a form sent untouched changes nothing."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from flags.engine import Configuration, dump_configuration, parse_configuration
from flags.targeting.documents import to_document, to_form
from flags.targeting.form import read_values, write_values
from tests.flags.engine.documents import (
    configuration,
    referring_configurations,
    relaxed,
    rule,
    split,
)
from tests.flags.targeting.forms import DEFINITION, form_of

# Names and keys as people and importers write them, in every alphabet.
any_name = st.text(st.characters(exclude_categories=["C"]), max_size=8).map(str.strip)
any_unit = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
unhurried = settings(relaxed, suppress_health_check=[HealthCheck.too_slow], max_examples=60)


def is_kept(document: dict[str, Any]) -> None:
    """The configuration comes back from the form, drawn and sent as a browser does."""
    before = parse_configuration(document, DEFINITION)
    again = to_document(form_of(dump_configuration(before)), enabled=before.enabled)
    assert canonical(parse_configuration(again, DEFINITION)) == canonical(before)


def canonical(configuration: Configuration) -> str:
    """As text: in Python 1 equals True."""
    return json.dumps(dump_configuration(configuration))


@unhurried
@given(referring_configurations())
def test_a_form_sent_untouched_changes_nothing(document: dict[str, Any]) -> None:
    is_kept(document)


@relaxed
@given(referring_configurations())
def test_nor_does_a_script_that_sends_what_it_was_given(document: dict[str, Any]) -> None:
    before = parse_configuration(document, DEFINITION)
    form = to_form(dump_configuration(before), DEFINITION)
    again = parse_configuration(to_document(form, enabled=before.enabled), DEFINITION)
    assert canonical(again) == canonical(before)


@unhurried
@given(st.lists(any_unit, unique=True, max_size=5))
def test_every_key_of_a_single_user_is_kept(keys: list[str]) -> None:
    is_kept(configuration(targets=[{"variant": "on", "keys": keys}]))


@unhurried
@given(any_name, any_name.filter(bool))
def test_every_name_and_attribute_is_kept(name: str, attribute: str) -> None:
    when = {"attribute": attribute, "operator": "exists"}
    is_kept(configuration(rules=[rule(name=name, when=when)]))


@unhurried
@given(st.lists(any_unit | st.just(""), min_size=1, max_size=4))
def test_every_text_to_compare_with_is_kept(values: list[str]) -> None:
    when = {"attribute": "a", "operator": "in", "values": values}
    is_kept(configuration(rules=[rule(when=when)]))


@pytest.mark.parametrize(
    "values",
    [
        ["5"],
        [5],
        [5, "5"],
        [True],
        ["true", True],
        [False, 0],
        [1e-7, -0.5, 10**15],
        ["a,b", 'say "hi"', "c"],
        [" around "],
        [""],
        ["line\nbreak"],
        ["'", "[1]", "null", "#"],
    ],
)
def test_values_keep_their_type_and_spelling(values: list[object]) -> None:
    when = {"attribute": "a", "operator": "in", "values": values}
    is_kept(configuration(rules=[rule(when=when)]))


@pytest.mark.parametrize(
    "patterns", [[r"^a{1,2}, \S+$"], [" a "], ['"'], ["5"], ["a", "b,c"], ["line\nbreak"], ["[1]"]]
)
def test_patterns_keep_their_commas_and_spaces(patterns: list[str]) -> None:
    when = {"attribute": "a", "operator": "matches", "values": patterns}
    is_kept(configuration(rules=[rule(when=when)]))


def test_a_pattern_is_typed_as_it_is() -> None:
    """Commas separate values elsewhere; here {1,2} would become two patterns."""
    assert read_values(r'^a{1,2}"$', "pattern") == [r'^a{1,2}"$']


def test_shares_keep_their_order_and_repetitions() -> None:
    """flagd allows a variant several times; where on the line it lies decides who gets it."""
    shares = [("on", 10), ("off", 70), ("on", 20)]
    split = [{"variant": variant, "weight": weight} for variant, weight in shares]
    is_kept(configuration(fallthrough={"split": split, "algorithm": "flagd", "seed": ""}))


def test_conditions_as_deep_as_may_be_are_kept() -> None:
    when: dict[str, Any] = {"attribute": "a", "operator": "exists"}
    for group in range(18):
        when = {("all", "any")[group % 2]: [when, when] if group < 3 else [when]}
    is_kept(configuration(rules=[rule(when=when)]))


def test_every_thousandth_of_a_percent_is_kept() -> None:
    rules = [
        rule(f"r-{number}", audience={"percent": number / 1000})
        for number in (0, 1, 999, 12_345, 33_333, 66_667, 99_999)
    ]
    is_kept(configuration(rules=rules))


def test_a_split_by_something_else_is_kept() -> None:
    shares = [{"variant": "off", "weight": 1}, {"variant": "on", "weight": 99_999}]
    serve = {"split": shares, "bucket_by": "company.id"}
    is_kept(configuration(fallthrough=serve, rules=[rule(serve=serve)]))


LOGIC = {"jsonlogic": {"in": [{"var": "a"}, ["é", 1, 1.5, None, True]]}, "bucketing": "cbor"}
SHARES = [{"variant": "on", "weight": 3}, {"variant": "off", "weight": 997}]


@pytest.mark.parametrize(
    "serve",
    [
        {"code_default": True},
        {"jsonlogic": {"if": [{"var": "a"}, "on", None]}, "bucketing": "float"},
        {"split": SHARES, "algorithm": "unleash", "seed": "", "bucket_by": "userId"},
        split(0),
        split(5, bucket_by="a", else_by=["b,c", 'd"', "e"]),
        split(5, overrides=[{"variant": "on", "when": {"all": [{"segment": "s"}, LOGIC]}}]),
    ],
)
def test_whatever_is_served_is_kept(serve: dict[str, Any]) -> None:
    is_kept(configuration(fallthrough=serve, rules=[rule(serve=serve)]))


@pytest.mark.parametrize(
    "audience",
    [
        {"percent": 100},
        {"percent": 100, "group": "colours"},
        {"percent": 0.001, "algorithm": "unleash", "seed": "g", "else_by": ["sessionId"]},
    ],
)
def test_whoever_is_let_in_is_kept(audience: dict[str, Any]) -> None:
    is_kept(configuration(rules=[rule(audience=audience)]))


@pytest.mark.parametrize(
    "when",
    [
        {"segment": "a/b c"},
        {"flag": "new-cart", "variants": ["off", "on", "gone"]},
        LOGIC,
        {"not": {"flag": "f", "variants": ["on"]}},
        {"not": {"any": [{"segment": "s"}]}},
        {"not": {"any": []}},
        {"not": {"not": {"any": [{"any": []}]}}},
        {"all": [{"any": [LOGIC]}]},
    ],
)
def test_whatever_is_asked_is_kept(when: dict[str, Any]) -> None:
    wanted = [{"flag": "a", "variants": ["on"]}, {"flag": "b", "variants": ["x", "y"]}]
    is_kept(configuration(rules=[rule(when=when)], prerequisites=wanted))


def test_the_measure_tells_types_and_order_apart() -> None:
    one, other = ({"attribute": "a", "operator": "in", "values": [v]} for v in (1, True))
    parsed = [
        canonical(parse_configuration(configuration(rules=[rule(when=when)]), DEFINITION))
        for when in (one, other, {"all": [one]})
    ]
    assert len(set(parsed)) == 3


def test_long_lists_stand_on_lines_and_are_read_from_either() -> None:
    names = [f"user-{number}" for number in range(9)]
    text, way = write_values("in", names)
    assert (text.count("\n"), way) == (8, "text")
    assert read_values("a, b\r\nc,\r\n\r\n", "text") == ["a", "b", "c"]
