"""Exclusion groups: users keep their place on the line."""

from typing import Any

import pytest

from flags.engine import parse_group
from flags.exclusion_groups import services as group_services
from flags.references.referring import InUse
from portal.access.models import User
from portal.audit.models import AuditEvent
from portal.lib.errors import Invalid
from tests.support.bench import Bench


def slot(flag: str, start: float, end: float) -> dict[str, Any]:
    return {"flag": flag, "from": start, "to": end}


@pytest.fixture
def rule() -> dict[str, object]:
    audience = {"percent": 100, "group": "checkout"}
    return {"id": "r", "when": {"all": []}, "audience": audience, "serve": {"variant": "on"}}


def test_create_group__without_a_salt__gets_a_fresh_one(bench: Bench) -> None:
    assert bench.group().salt != bench.group("other").salt


def test_slots__grow_into_free_room_and_keep_their_place(bench: Bench, dana: User) -> None:
    bench.flag("b")
    group = bench.group(slots=[slot("new-checkout", 0, 20), slot("b", 40, 60)], holdout=10)
    bench.edit_group(group, dana, slots=[slot("new-checkout", 0, 40), slot("b", 40, 90)])
    event = AuditEvent.objects.first()
    assert event
    assert event.event == "exclusion_group.edited"
    with pytest.raises(Invalid, match="unallocated traffic"):
        bench.edit_group(group, dana, slots=[slot("new-checkout", 0, 50), slot("b", 50, 90)])
    with pytest.raises(Invalid, match="unallocated traffic"):
        bench.edit_group(group, dana, slots=[slot("new-checkout", 0, 40)], holdout=20)


def test_a_slot_for_an_unknown_flag__is_refused(bench: Bench) -> None:
    with pytest.raises(Invalid) as error:
        bench.group(slots=[slot("nothing", 0, 10)])
    assert list(error.value.problems) == ["slots[0].flag"]


def test_reshuffle__is_on_purpose_and_moves_slots_too(bench: Bench, dana: User) -> None:
    group = bench.group(slots=[slot("new-checkout", 0, 20)])
    changed = bench.edit_group(group, dana, salt="other", slots=[slot("new-checkout", 50, 70)])
    assert changed.salt == "other"
    event = AuditEvent.objects.first()
    assert event
    assert event.event == "exclusion_group.reshuffled"


def test_a_rule_for_a_group__takes_a_slot_in_it_and_holds_it(
    bench: Bench, dana: User, rule: dict[str, object]
) -> None:
    group = bench.group()
    with pytest.raises(Invalid) as error:
        bench.desk.save(dana, rules=[rule])
    assert list(error.value.problems) == ["rules[0].audience.group"]
    bench.edit_group(group, dana, slots=[slot("new-checkout", 0, 20)])
    bench.desk.save(dana, rules=[rule])
    with pytest.raises(InUse) as in_use:
        bench.edit_group(group, dana, slots=[])
    assert list(in_use.value.problems) == ["slots"]
    with pytest.raises(InUse):
        bench.delete_group(group, dana)
    bench.desk.save(dana, rules=[])
    bench.delete_group(group, dana)


def test_with_slot__takes_the_first_room_that_is_wide_enough() -> None:
    group = parse_group(
        {"key": "g", "salt": "s", "slots": [slot("a", 10, 20), slot("b", 25, 60)], "holdout": 10}
    )
    assert group_services.with_slot(group, "c", 12_000)["slots"] == [
        slot("a", 10, 20),
        slot("b", 25, 60),
        slot("c", 60, 72),
    ]
    assert group_services.with_slot(group, "a", 15_000)["slots"] == [
        slot("a", 10, 25),
        slot("b", 25, 60),
    ]
    assert group_services.with_slot(group, "a", 0)["slots"] == [slot("b", 25, 60)]
    with pytest.raises(Invalid, match="no unallocated traffic"):
        group_services.with_slot(group, "a", 16_000)
