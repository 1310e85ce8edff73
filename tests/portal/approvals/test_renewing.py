"""Bringing a request up to date: it keeps what others got approved meanwhile, for every kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from flags.exclusion_groups import services as group_services
from flags.models import ExclusionGroup, Flag, FlagConfiguration, KeyList, Segment
from flags.segments import key_lists, services as segment_services
from flags.transfer.importers import ImportPlan, PlannedFlag
from flags.transfer.importing import service
from portal.access import services as access
from portal.access.models import CustomRole, Environment, Project, User
from portal.approvals import services, services as approvals
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest, Policy
from portal.approvals.policies import services as policy_services
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.merging import Side
from tests.support.agreeing import waiting
from tests.support.desk import RULE, Desk
from tests.support.glass import serve, without_policy
from tests.support.people import acting

Write = Callable[[Desk, User, str], object]


@dataclass(frozen=True)
class Subject:
    """How to change one part of a thing (``mine``), another (``theirs``), and what it is then."""

    write: Write
    document: Callable[[Desk], Any]


def _configure(desk: Desk, who: User, part: str) -> None:
    changes: dict[str, Any] = {"mine": {"enabled": True}, "theirs": {"off_variant": "on"}}
    desk.save(who, **changes[part])


def _define(desk: Desk, who: User, part: str) -> None:
    variants = list(Flag.objects.get(pk=desk.flag.pk).variants)
    added = {"key": "third" if part == "mine" else "fourth", "value": True}
    metadata = {**Flag.objects.get(pk=desk.flag.pk).metadata, part: 1}
    more: dict[str, Any] = {} if part == "mine" else {"tags": ["new"]}
    desk.edit(who, variants=[*variants, added], metadata=metadata, **more)


def _segment(desk: Desk, who: User, part: str) -> None:
    segment = Segment.objects.get()
    when = {"attribute": "country", "operator": "in", "values": ["DE"]}
    lists = {"mine": ["a", "m"], "theirs": ["a", "t"]}
    stored = key_lists.store(desk.flag.project, lists[part], now=desk.now).document
    fields = {"when": when} if part == "theirs" else {}
    segment_services.edit_segment(
        segment=segment,
        document=segment.document | fields | {"included": stored},
        expected_version=segment.version,
        intent=Intent(acting(who), at=desk.now),
    )


def _group(desk: Desk, who: User, part: str) -> None:
    group = ExclusionGroup.objects.get()
    slot = {"flag": desk.flag.key, "from": 0, "to": 20}
    changes: dict[str, Any] = {"mine": {"holdout": 20}, "theirs": {"slots": [slot]}}
    group_services.edit_group(
        group=group,
        document=group.document | changes[part],
        expected_version=group.version,
        intent=Intent(acting(who), at=desk.now),
    )


SUBJECTS = {
    "configuration": Subject(_configure, lambda desk: desk.configuration.document),
    "definition": Subject(_define, lambda desk: Flag.objects.get(pk=desk.flag.pk).document),
    "segment": Subject(_segment, lambda _desk: Segment.objects.get().document),
    "exclusion group": Subject(_group, lambda _desk: ExclusionGroup.objects.get().document),
}


@pytest.fixture
def cohorts(desk: Desk, shop: Project, alice: User) -> None:
    common: dict[str, Any] = {"project": shop, "intent": Intent(acting(alice), at=desk.now)}
    segment_services.create_segment(document={"key": "beta", "included": ["a"]}, **common)
    slots = [{"flag": desk.flag.key, "from": 0, "to": 10}]
    group_services.create_group(document={"key": "line", "slots": slots, "holdout": 0}, **common)
    # Rules that ask for both, as if they had been there before the policy.
    rules = [RULE | {"id": "r-2", "when": {"segment": "beta"}}]
    rules += [RULE | {"id": "r-3", "audience": {"percent": 50.0, "group": "line"}}]
    row = desk.configuration
    FlagConfiguration.objects.filter(pk=row.pk).update(targeting=row.targeting | {"rules": rules})


def renew(request: ChangeRequest, person: User, prefer: Side | None = None) -> ChangeRequest:
    request.refresh_from_db()
    return services.renew_request(
        request=request,
        seen_digest=request.digest,
        intent=Intent(acting(person), at=request.created_at),
        prefer=prefer,
    )


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.usefixtures("cohorts")
def test_renewed__asks_for_its_own_on_top_of_what_others_did(
    desk: Desk, guarded: Environment, alice: User, dana: User, subject: str
) -> None:
    about = SUBJECTS[subject]
    with pytest.raises(Waiting) as error:
        about.write(desk, alice, "mine")
    request = waiting(error)
    with without_policy(guarded):
        about.write(desk, alice, "theirs")
    theirs = about.document(desk)
    renewed = renew(request, alice)
    assert (renewed.pk, renewed.revision) == (request.pk, 2)
    assert renewed.before == theirs
    with without_policy(guarded):
        about.write(desk, alice, "mine")  # what the same would make of it by hand
    if subject != "segment":
        assert renewed.after == about.document(desk)
    else:
        keys = KeyList.objects.get(digest=renewed.after["included"]["digest"]).keys
        assert (keys, renewed.after["when"]) == (("a", "m", "t"), theirs["when"])


def test_both_changed_the_same__is_asked_for(
    desk: Desk, guarded: Environment, alice: User, dana: User
) -> None:
    with pytest.raises(Waiting) as error:
        desk.save(dana, fallthrough=serve("off"), rules=[RULE])
    request = waiting(error)
    share = {"split": [{"variant": "on", "weight": 1000}, {"variant": "off", "weight": 99_000}]}
    with without_policy(guarded):
        desk.save(alice, fallthrough=share)
    with pytest.raises(Invalid, match="What everyone else gets") as refused:
        renew(request, dana)
    assert list(refused.value.problems) == ["prefer"]
    theirs = renew(request, dana, Side.THEIRS)
    assert theirs.after["fallthrough"] == theirs.before["fallthrough"]
    assert theirs.after["rules"] != []


def test_a_policy__keeps_what_was_tightened_meanwhile(
    desk: Desk, guarded: Environment, alice: User
) -> None:
    def lower(**changes: object) -> None:
        policy = Policy.objects.get()
        policy_services.set_policy(
            environment=guarded,
            document=policy.document | changes,
            intent=Intent(acting(alice), at=desk.now),
        )

    with pytest.raises(Waiting) as error:
        lower(required_approvals=1)
    request = waiting(error)
    lower(evidence={"security_scan": "all"})
    renewed = renew(request, alice)
    assert renewed.after == Policy.objects.get().document | {"required_approvals": 1}


def test_a_role_and_a_rule__which_have_no_versions__are_renewed_too(
    desk: Desk, guarded: Environment, alice: User
) -> None:
    common: dict[str, Any] = {"intent": Intent(acting(alice))}
    role = access.create_role(
        project=guarded.project, key="tester", name="Tester", permissions=["flag.view"], **common
    )
    with pytest.raises(Waiting) as error:
        approvals.edit_role(
            role=role, name="Tester", permissions=["flag.view", "flag.edit"], **common
        )
    request = waiting(error)
    approvals.edit_role(role=role, name="Tester", permissions=["flag.view", "audit.view"], **common)
    renewed = renew(request, alice)
    assert renewed.after["permissions"] == ["audit.view", "flag.edit", "flag.view"]
    assert CustomRole.objects.get().permissions != renewed.after["permissions"]


def test_an_import__names_the_flags_that_were_changed_and_can_leave_them(
    desk: Desk, guarded: Environment, alice: User, dana: User
) -> None:
    other = desk.create(dana, "other")
    plan = ImportPlan("a file")
    for flag in (desk.flag, other):
        row = FlagConfiguration.objects.get(flag=flag, environment=guarded)
        plan.add(PlannedFlag(flag.key, {}, row.document | {"enabled": True}))
    with pytest.raises(Waiting) as error:
        service.import_flags(
            environment=guarded,
            plan=plan,
            mode="merge",
            dry_run=False,
            intent=Intent(acting(alice), at=desk.now),
        )
    request = waiting(error)
    with without_policy(guarded):
        desk.save(dana, off_variant="on")
    with pytest.raises(Invalid, match="Flag “new-checkout”"):
        renew(request, alice)
    renewed = renew(request, alice, Side.THEIRS)
    assert [one["key"] for one in renewed.after["plan"]["flags"]] == ["other"]


def test_a_rename__moves_no_part_and_asks_nothing(
    desk: Desk, asked: ChangeRequest, alice: User, dana: User
) -> None:
    before = asked.after
    desk.edit(alice, name="Another name")
    assert renew(asked, dana).after == before
