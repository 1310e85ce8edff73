"""Whatever glass can be broken for goes back to what was agreed to, in any order."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from flags.core import definitions
from flags.engine.limits import MAX_REFERENCE_DEPTH, MAX_TAGS
from flags.exclusion_groups import services as group_services
from flags.models import ExclusionGroup, Flag, FlagConfiguration, Segment
from flags.segments import services as segment_services
from flags.segments.key_lists import KeyChange, Mode
from portal.access.models import Environment, Project, User
from portal.approvals.models import Emergency
from portal.audit.models import AuditEvent
from portal.lib.errors import Invalid
from portal.lib.journal import PLAIN, Intent, WriteOptions
from tests.support.desk import RULE, Desk
from tests.support.glass import GLASS, REASON, break_glass, end, end_all, without_policy
from tests.support.people import acting, boolean_flag, create_flag, give_role


@dataclass(frozen=True)
class Subject:
    """One kind of thing: how to change it in the given way, and what it is."""

    change: Callable[[Desk, User, int], object]
    document: Callable[[Desk], Any]


def _edit_definition(desk: Desk, person: User, n: int) -> None:
    variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
    variants += [{"key": f"v{one}", "value": True} for one in range(n)]
    flag = Flag.objects.get(pk=desk.flag.pk)
    definitions.edit_flag(
        flag=flag,
        document=flag.document
        | {"variants": variants, "client_visible": n % 2 == 0, "metadata": {"n": n}},
        expected_version=flag.version,
        intent=Intent(acting(person), reason=REASON, options=GLASS, at=desk.now),
    )


def _edit_segment(desk: Desk, person: User, n: int) -> None:
    segment = Segment.objects.get()
    country = {"attribute": "country", "operator": "in", "values": [f"C{n}"]}
    segment_services.edit_segment(
        segment=segment,
        document=segment.about | {"when": country},
        expected_version=segment.version,
        intent=Intent(acting(person), reason=REASON, options=GLASS, at=desk.now),
    )


def _change_keys(desk: Desk, person: User, n: int) -> None:
    segment_services.change_keys(
        segment=Segment.objects.get(),
        change=KeyChange("included", Mode.ADD, [f"user-{n}"]),
        intent=Intent(acting(person), reason=REASON, options=GLASS, at=desk.now),
    )


def _edit_group(desk: Desk, person: User, n: int) -> None:
    group = ExclusionGroup.objects.get()
    group_services.edit_group(
        group=group,
        document=group.document | {"holdout": float(n), "salt": f"salt-{n}"},
        expected_version=group.version,
        intent=Intent(acting(person), reason=REASON, options=GLASS, at=desk.now),
    )


SUBJECTS = {
    "configuration": Subject(
        lambda desk, who, n: break_glass(desk, who, salt=f"salt-{n}", rules=[RULE][: n % 2]),
        lambda desk: desk.configuration.document,
    ),
    "definition": Subject(
        _edit_definition, lambda desk: Flag.objects.get(pk=desk.flag.pk).document
    ),
    "segment": Subject(_edit_segment, lambda _desk: Segment.objects.get().document),
    "keys of a segment": Subject(_change_keys, lambda _desk: Segment.objects.get().document),
    "exclusion group": Subject(_edit_group, lambda _desk: ExclusionGroup.objects.get().document),
}


@pytest.fixture
def cohorts(desk: Desk, shop: Project, alice: User) -> None:
    common: dict[str, Any] = {"project": shop, "intent": Intent(acting(alice), at=desk.now)}
    when = {"attribute": "country", "operator": "in", "values": ["DE"]}
    segment_services.create_segment(document={"key": "beta", "when": when}, **common)
    slots = [{"flag": desk.flag.key, "from": 0, "to": 50}]
    group_services.create_group(document={"key": "line", "slots": slots, "holdout": 0}, **common)
    # Rules that ask for both, as if they had been there before the policy.
    rules = [RULE | {"id": "r-2", "when": {"segment": "beta"}}]
    rules += [RULE | {"id": "r-3", "audience": {"percent": 50.0, "group": "line"}}]
    row = desk.configuration
    FlagConfiguration.objects.filter(pk=row.pk).update(targeting=row.targeting | {"rules": rules})


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.usefixtures("cohorts")
def test_three_in_a_row__ended_in_any_order__leave_what_was_agreed_to(
    desk: Desk, grace: User, subject: str, order: tuple[int, ...]
) -> None:
    about = SUBJECTS[subject]
    agreed = about.document(desk)
    for n in (1, 2, 3):
        about.change(desk, grace, n)
        assert about.document(desk) != agreed
    made = list(Emergency.objects.order_by("pk"))
    assert len(made) == 3
    for index in order:
        end(made[index])
    assert about.document(desk) == agreed
    assert not Emergency.objects.filter(reverted_at=None, superseded_at=None).exists()


def test_archiving__is_taken_back_whatever_was_renamed_meanwhile(
    desk: Desk, grace: User, alice: User
) -> None:
    give_role(desk.flag.project, grace, "project_admin")
    definitions.archive_flag(
        flag=desk.flag, intent=Intent(acting(grace), reason=REASON, options=GLASS, at=desk.now)
    )
    desk.edit(alice, name="Another name")
    end_all()
    flag = Flag.objects.get(pk=desk.flag.pk)
    assert (flag.is_archived, flag.name) == (False, "Another name")


def _edit_flag(
    flag: Flag, person: User, desk: Desk, options: WriteOptions = PLAIN, **fields: Any
) -> None:
    flag = Flag.objects.get(pk=flag.pk)
    definitions.edit_flag(
        flag=flag,
        document=flag.document | fields,
        expected_version=flag.version,
        intent=Intent(acting(person), reason=REASON, options=options, at=desk.now),
    )


def _object_flag(desk: Desk, person: User) -> Desk:
    """A flag of objects that production serves."""
    values = [{"key": key, "value": {"price": n}} for key, n in (("a", 10), ("b", 11))]
    document = {"key": "prices", "kind": "release", "value_type": "object", "variants": values}
    with without_policy(desk.environment):
        flag = definitions.create_flag(
            project=desk.flag.project, document=document, intent=Intent(acting(person), at=desk.now)
        )
        served = Desk(flag, desk.environment, desk.now)
        served.switch(person, True)
    return served


# What nobody has to agree to, and what would keep an emergency change from ending.


def test_a_variant_it_added__served_in_development__stays_and_the_rest_goes_back(
    desk: Desk, grace: User, alice: User, development: Environment
) -> None:
    prices = _object_flag(desk, alice)
    agreed = Flag.objects.get(key="prices").variants
    evil = [one | {"value": {"price": 99}} for one in agreed]
    extra = {"key": "extra", "value": {"price": 1}}
    _edit_flag(prices.flag, grace, desk, GLASS, variants=[*evil, extra])
    other = Desk(Flag.objects.get(key="prices"), development, desk.now)
    other.save(alice, enabled=True, fallthrough={"variant": "extra"})
    end_all()
    assert Flag.objects.get(key="prices").variants == [*agreed, extra]


def test_a_schema_that_forbids_what_was_agreed__is_taken_off(
    desk: Desk, grace: User, alice: User, dana: User
) -> None:
    prices = _object_flag(desk, alice)
    agreed = Flag.objects.get(key="prices").document
    evil = [one | {"value": {"evil": True}} for one in prices.flag.variants]
    _edit_flag(prices.flag, grace, desk, GLASS, variants=evil)
    _edit_flag(prices.flag, dana, desk, json_schema={"type": "object", "required": ["evil"]})
    end_all()
    assert Flag.objects.get(key="prices").document == agreed


def test_tags_that_leave_no_room_for_those_agreed__go(desk: Desk, grace: User, dana: User) -> None:
    many = [f"t{n}" for n in range(MAX_TAGS)]
    _edit_flag(desk.flag, dana, desk, tags=many)
    agreed = Flag.objects.get(pk=desk.flag.pk).document
    _edit_flag(desk.flag, grace, desk, GLASS, tags=[], client_visible=True)
    _edit_flag(desk.flag, dana, desk, tags=["mine"])
    end_all()
    assert Flag.objects.get(pk=desk.flag.pk).document == agreed


def test_a_chain_up_to_the_flag__may_be_as_long_as_it_can_be_afterwards(
    desk: Desk, grace: User, alice: User, dana: User, production: Environment
) -> None:
    create_flag(desk.flag.project, boolean_flag("asked"))
    with without_policy(production):
        asks = [{"flag": "asked", "variants": ["on"]}]
        desk.save(alice, prerequisites=asks)
    agreed = desk.configuration.document
    break_glass(desk, grace, prerequisites=[])
    keys = [desk.flag.key, *(f"n{n}" for n in range(MAX_REFERENCE_DEPTH - 1))]
    ask = [
        partial(
            Desk(create_flag(desk.flag.project, boolean_flag(key)), production, desk.now).save,
            dana,
            prerequisites=[{"flag": asked, "variants": ["on"]}],
        )
        for asked, key in pairwise(keys)
    ]
    for one in ask[:-1]:
        one()
    with pytest.raises(Invalid, match="chain"):
        ask[-1]()
    end_all()
    assert desk.configuration.document == agreed


@pytest.mark.usefixtures("cohorts")
def test_a_slot_it_dropped__of_a_flag_archived_meanwhile__comes_back(
    desk: Desk, grace: User, alice: User
) -> None:
    dummy = create_flag(desk.flag.project, boolean_flag("dummy"))
    group = ExclusionGroup.objects.get()
    slots = [*group.slots, {"flag": "dummy", "from": 50, "to": 60}]
    with without_policy(desk.environment):
        _edit_slots(desk, alice, slots)
    agreed = ExclusionGroup.objects.get().document
    _edit_slots(desk, grace, slots[:1], GLASS, salt="other")
    definitions.archive_flag(flag=dummy, intent=Intent(acting(alice), at=desk.now))
    end_all()
    assert ExclusionGroup.objects.get().document == agreed


@pytest.mark.usefixtures("cohorts")
def test_a_slot_it_added__asked_for_in_development__goes(
    desk: Desk, grace: User, alice: User, development: Environment
) -> None:
    dummy = create_flag(desk.flag.project, boolean_flag("dummy"))
    agreed = ExclusionGroup.objects.get().document
    slots = [*agreed["slots"], {"flag": "dummy", "from": 50, "to": 60}]
    _edit_slots(desk, grace, slots, GLASS, salt="other")
    rule = RULE | {"audience": {"percent": 10.0, "group": "line"}}
    Desk(dummy, development, desk.now).save(alice, enabled=True, rules=[rule])
    end_all()
    assert ExclusionGroup.objects.get().document == agreed


@pytest.mark.usefixtures("cohorts")
def test_what_cannot_be_gone_back_to__is_said_once_and_tried_again(
    desk: Desk, grace: User, alice: User
) -> None:
    """Others agree to a slot where one was that comes back: both cannot be."""
    create_flag(desk.flag.project, boolean_flag("dummy"))
    agreed = ExclusionGroup.objects.get().document
    (slot,) = agreed["slots"]
    _edit_slots(desk, grace, [slot | {"to": 10}], GLASS, salt="other")
    with without_policy(desk.environment):
        _edit_slots(desk, alice, [slot | {"to": 10}, slot | {"flag": "dummy", "from": 10}])
    emergency = Emergency.objects.get()
    end(emergency)
    end(emergency)
    emergency.refresh_from_db()
    assert emergency.is_running
    assert "Start the slot" in emergency.problem
    assert AuditEvent.objects.filter(event="break_glass.stuck").count() == 1
    with without_policy(desk.environment):
        _edit_slots(desk, alice, [slot | {"to": 10}])
    end(emergency)
    emergency.refresh_from_db()
    assert (bool(emergency.reverted_at), emergency.problem) == (True, "")
    assert ExclusionGroup.objects.get().document == agreed


def _edit_slots(
    desk: Desk,
    person: User,
    slots: list[dict[str, Any]],
    options: WriteOptions = PLAIN,
    **more: str,
) -> None:
    group = ExclusionGroup.objects.get()
    group_services.edit_group(
        group=group,
        document=group.document | {"slots": slots} | more,
        expected_version=group.version,
        intent=Intent(acting(person), reason=REASON, options=options, at=desk.now),
    )
