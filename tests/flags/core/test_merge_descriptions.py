"""Two edits brought together: what only one touched stays, what both touched is named."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.core.merge_descriptions import merge, merge_keys
from flags.engine import dump_configuration, parse_configuration, parse_definition
from portal.lib.merging import ORDER, Merged, Side
from tests.flags.engine.documents import (
    BOOLEAN,
    configuration,
    referring_configurations,
    relaxed,
    rule,
    split,
)

DEFINITION = parse_definition(BOOLEAN)
COUNTRY = {"attribute": "country", "operator": "in", "values": ["DE"]}
A, B, C = rule("a", name="A"), rule("b", name="B"), rule("c", name="C")


def whole(**changes: object) -> dict[str, Any]:
    return {"targets": [], "rules": [A, B], **configuration(**changes)}


def merged(theirs: dict[str, Any], mine: dict[str, Any], prefer: Side = Side.MINE) -> Merged:
    return merge(whole(), {**whole(), **theirs}, {**whole(), **mine}, prefer=prefer)


def order(rules: list[dict[str, Any]]) -> str:
    return "".join(one["id"] for one in rules)


@pytest.mark.parametrize(
    ("theirs", "mine", "expected"),
    [
        ({"salt": "t"}, {"off_variant": "on"}, {"salt": "t", "off_variant": "on"}),
        ({"rules": [A, B, C]}, {"salt": "m"}, {"rules": [A, B, C], "salt": "m"}),
        ({"rules": [B]}, {"rules": [A, B, C]}, {"rules": [B, C]}),
        (
            {"rules": [{**A, "when": COUNTRY}, B]},
            {"rules": [{**A, "name": "Z"}, B]},
            {"rules": [{**A, "when": COUNTRY, "name": "Z"}, B]},
        ),
        (
            {"targets": [{"variant": "on", "keys": ["t"]}]},
            {"targets": [{"variant": "on", "keys": ["m"]}]},
            {"targets": [{"variant": "on", "keys": ["m", "t"]}]},
        ),
        (
            {"prerequisites": [{"flag": "t", "variants": ["on"]}]},
            {"prerequisites": [{"flag": "m", "variants": ["on"]}]},
            {"prerequisites": [{"flag": k, "variants": ["on"]} for k in ("t", "m")]},
        ),
    ],
)
def test_what_only_one_touched__stays(
    theirs: dict[str, Any], mine: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = merged(theirs, mine)
    assert found.clashes == ()
    assert found.document == {**whole(), **expected}


@pytest.mark.parametrize(
    ("theirs", "mine", "expected"),
    [
        ([B, A], [A, C, B], "bac"),
        ([A, C, B], [B, A], "bac"),
        ([C, A, B], [A, B], "cab"),
        ([B, A], [B, A], "ba"),
        ([A, B], [B], "b"),
    ],
)
def test_rules__moved_by_one_and_added_by_the_other__keep_both(
    theirs: list[Any], mine: list[Any], expected: str
) -> None:
    found = merged({"rules": theirs}, {"rules": mine})
    assert (order(found.document["rules"]), found.clashes) == (expected, ())


@pytest.mark.parametrize(
    ("theirs", "mine", "place"),
    [
        ({"fallthrough": split(1)}, {"fallthrough": split(2)}, ("fallthrough", "", "")),
        (
            {"rules": [{**A, "serve": split(1)}, B]},
            {"rules": [{**A, "serve": split(2)}, B]},
            ("rules", "a", "serve"),
        ),
        ({"rules": [B]}, {"rules": [{**A, "name": "Z"}, B]}, ("rules", "a", "")),
        (
            {"targets": [{"variant": "on", "keys": ["u"]}]},
            {"targets": [{"variant": "off", "keys": ["u"]}]},
            ("targets", "u", ""),
        ),
    ],
)
def test_what_both_touched__is_named_and_one_side_stands(
    theirs: dict[str, Any], mine: dict[str, Any], place: tuple[str, str, str]
) -> None:
    for side, expected in ((Side.MINE, mine), (Side.THEIRS, theirs)):
        found = merged(theirs, mine, side)
        (clash,) = found.clashes
        assert (clash.field, clash.key, clash.part) == place
        assert found.document == {**whole(), **expected}


def test_rules__moved_differently_by_both__is_a_clash_of_order() -> None:
    three = {"rules": [A, B, C]}
    sides = ({**whole(), "rules": rules} for rules in ([B, A, C], [A, C, B]))
    found = merge(whole(**three), *sides, prefer=Side.THEIRS)
    assert [one.part for one in found.clashes] == [ORDER]
    assert order(found.document["rules"]) == "bac"


def test_true_and_one__are_different_values() -> None:
    tested = [{**COUNTRY, "values": [value]} for value in (1, True, 1)]
    base, theirs, mine = ({**whole(), "rules": [{**A, "when": when}]} for when in tested)
    assert json.dumps(merge(base, theirs, mine).document) == json.dumps(theirs)


@relaxed
@given(referring_configurations(), referring_configurations(), referring_configurations())
def test_merging__any_three__gives_a_configuration(
    base: dict[str, Any], theirs: dict[str, Any], mine: dict[str, Any]
) -> None:
    base, theirs, mine = (
        dump_configuration(parse_configuration(one, DEFINITION)) for one in (base, theirs, mine)
    )
    for side in Side:
        parse_configuration(merge(base, theirs, mine, prefer=side).document, DEFINITION)
    assert merge(base, base, mine) == Merged(mine)
    assert merge(base, theirs, base) == Merged(theirs)
    assert merge(base, mine, mine) == Merged(mine)


_keys = st.frozensets(st.sampled_from("abcd"))


@given(_keys, _keys, _keys)
def test_merging_lists_of_keys__keeps_what_each_added_and_removed(
    base: frozenset[str], theirs: frozenset[str], mine: frozenset[str]
) -> None:
    found = merge_keys(base, theirs, mine)
    for key in "abcd":
        changed = [side for side in (theirs, mine) if (key in side) != (key in base)]
        assert (key in found) == (key in changed[0] if changed else key in base)
