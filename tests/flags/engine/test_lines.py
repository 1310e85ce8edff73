"""The line of an exclusion group, and where documents name others."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from flags.engine import (
    Group,
    Named,
    Slot,
    disturbances,
    free_room,
    mentions_in,
    parse_configuration,
    parse_definition,
    place_slot,
    references_of,
)

CASES = Path(__file__).parents[2] / "cases" / "engine" / "references.json"
SCALE = 100_000
DEFINITION = parse_definition(
    {
        "key": "f",
        "value_type": "boolean",
        "variants": [{"key": "on", "value": True}, {"key": "off", "value": False}],
    }
)


@pytest.mark.parametrize("case", json.loads(CASES.read_text())["mentions"], ids=lambda c: c["name"])
def test_mentions__are_the_engines_references_with_their_places(case: dict[str, Any]) -> None:
    document = {
        "enabled": True,
        "off_variant": "off",
        "salt": "s",
        "fallthrough": {"variant": "on"},
        **case["configuration"],
    }
    found = list(mentions_in(document))
    assert [[one.path, one.kind, one.key] for one in found] == case["mentions"]
    references = references_of(parse_configuration(document, DEFINITION))
    by_kind = {
        kind: {one.key for one in found if one.kind == kind}
        for kind in ("flag", "segment", "group")
    }
    assert by_kind == {
        Named.FLAG: references.flags,
        Named.SEGMENT: references.segments,
        Named.GROUP: references.groups,
    }


@st.composite
def lines(draw: st.DrawFn) -> Group:
    """A group with some slots, in order, and a holdout."""
    ends = sorted(draw(st.lists(st.integers(0, SCALE), max_size=9, unique=True)))
    pairs = list(zip(ends[::2], ends[1::2], strict=False))
    slots = tuple(Slot(f"f{index}", start, end) for index, (start, end) in enumerate(pairs))
    most = SCALE - (slots[-1].end if slots else 0)
    return Group("g", "s", slots, holdout=draw(st.integers(0, most)))


@given(lines())
def test_free_room__and_the_rest__are_the_whole_line(group: Group) -> None:
    taken = sum(slot.end - slot.start for slot in group.slots) + group.holdout
    assert taken + sum(end - start for start, end in free_room(group)) == SCALE


@given(lines(), st.integers(1, SCALE), st.sampled_from(["f0", "f1", "new"]))
def test_place_slot__disturbs_nobody(group: Group, width: int, flag: str) -> None:
    """Every point keeps its flag, but for those that the flag itself gains or gives back."""
    slot = place_slot(group, flag, width)
    if slot is None:
        return
    others = tuple(one for one in group.slots if one.flag != flag)
    after = Group("g", "s", (*others, slot), holdout=group.holdout)
    assert slot.end - slot.start == width
    assert list(disturbances(group, after)) == []
    assert all(slot.end <= one.start or one.end <= slot.start for one in others)
    assert slot.end <= SCALE - group.holdout


@given(lines(), lines())
def test_disturbances__none__means_that_nobody_changed_flags(before: Group, after: Group) -> None:
    if list(disturbances(before, after)):
        return
    for point in (
        p for group in (before, after) for s in group.slots for p in (s.start, s.end - 1)
    ):
        owners = {_owner(before, point), _owner(after, point)} - {None}
        assert len(owners) <= 1, point


def _owner(group: Group, point: int) -> str | None:
    if point >= SCALE - group.holdout:
        return "(holdout)"
    return next((one.flag for one in group.slots if one.start <= point < one.end), None)
