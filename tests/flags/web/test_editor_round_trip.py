"""What the editor shows is what it saves: a form sent untouched changes nothing."""

from dataclasses import replace
from functools import singledispatch
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flags.engine import (
    AllOf,
    AnyOf,
    AttributeTest,
    Condition,
    Configuration,
    Not,
    Rule,
    Serve,
    Split,
    dump_configuration,
    parse_configuration,
)
from flags.web.targeting.filling import to_form
from flags.web.targeting.reading import read_values, to_document
from tests.flags.engine.documents import configuration, configurations, relaxed, rule
from tests.flags.web.forms import DEFINITION, form_of

# Names and keys as people and importers write them, in every alphabet.
any_name = st.text(st.characters(exclude_categories=["C"]), max_size=8).map(str.strip)
any_unit = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
unhurried = settings(relaxed, suppress_health_check=[HealthCheck.too_slow], max_examples=60)


@singledispatch
def essence(condition: Condition) -> object:
    """What a condition says, whichever of several ways it is written."""
    raise TypeError(type(condition).__name__)


@essence.register
def _(condition: AttributeTest) -> object:
    values = [(isinstance(v, str), isinstance(v, bool), v) for v in condition.values]
    return (condition.attribute, condition.operator, values, condition.ignore_case)


@essence.register
def _(condition: AllOf) -> object:
    parts = [essence(part) for part in condition.conditions]
    return parts[0] if len(parts) == 1 else ("all", parts)


@essence.register
def _(condition: AnyOf) -> object:
    parts = [essence(part) for part in condition.conditions]
    return parts[0] if len(parts) == 1 else ("any", parts)


@essence.register
def _(condition: Not) -> object:
    return ("not", essence(condition.condition))


def essence_of_serve(serve: Serve) -> object:
    if not isinstance(serve, Split):
        return serve
    shares = tuple(share for share in serve.shares if share.weight)
    return replace(serve, shares=shares)


def essence_of_rule(one: Rule) -> object:
    let_in = one.audience if one.audience and one.audience.threshold < 100_000 else None
    return (one.id, one.name, essence(one.when), let_in, essence_of_serve(one.serve))


def essence_of(whole: Configuration) -> object:
    targets = [target for target in whole.targets if target.keys]
    return (
        (whole.enabled, whole.off_variant, whole.salt, targets),
        [essence_of_rule(one) for one in whole.rules],
        essence_of_serve(whole.fallthrough),
    )


def is_kept(document: dict[str, Any]) -> None:
    """The configuration comes back from the form, drawn and sent as a browser does."""
    before = parse_configuration(document, DEFINITION)
    enabled = before.enabled
    again = to_document(form_of(dump_configuration(before)), enabled=enabled)
    assert essence_of(parse_configuration(again, DEFINITION)) == essence_of(before)


@unhurried
@given(configurations())
def test_a_form_sent_untouched_changes_nothing(document: dict[str, Any]) -> None:
    is_kept(document)


@relaxed
@given(configurations())
def test_nor_does_a_script_that_sends_what_it_was_given(document: dict[str, Any]) -> None:
    before = parse_configuration(document, DEFINITION)
    form = to_form(dump_configuration(before), DEFINITION)
    again = parse_configuration(to_document(form, enabled=before.enabled), DEFINITION)
    assert essence_of(again) == essence_of(before)


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


def test_splits_are_what_they_were() -> None:
    """Guards the measure itself: it tells different splits apart."""
    one = Split(shares=(), seed="a")
    assert essence_of_serve(one) != essence_of_serve(replace(one, seed=None))
    assert essence(AttributeTest("a", "in", (1,))) != essence(AttributeTest("a", "in", (True,)))
    alone = AllOf((AttributeTest("a", "in", (1.0,)),))
    assert essence(AttributeTest("a", "in", (1,))) == essence(alone)
