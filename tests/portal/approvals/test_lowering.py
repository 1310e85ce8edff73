"""Lowering a policy through the back: rules, roles, and documents that look like more."""

from datetime import datetime

import pytest

from portal.access import services as access
from portal.access.models import ActionRule, CustomRole, Environment, Project, User
from portal.approvals import services as approvals
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.approvals.policies import services as policy_services
from portal.lib.journal import Intent
from tests.support.agreeing import TWO_ROLES, vote, waiting
from tests.support.people import SETTING_UP, acting

APPROVE = "change_request.approve"


def reserve(place: Environment, permission: str, names: list[str] | None, by: User) -> None:
    approvals.reserve(
        environment=place,
        permission=permission,
        names=names,
        intent=Intent(acting(by), at=place.project.created_at),
    )


def rule(place: Environment, permission: str = APPROVE) -> list[str] | None:
    found = ActionRule.objects.filter(environment=place, permission=permission).first()
    return found.roles if found else None


@pytest.mark.parametrize(
    "permission", [APPROVE, "change_request.apply", "flag.edit", "flag.toggle", "flag.archive"]
)
def test_letting_more_roles_in__waits_for_the_policy(
    guarded: Environment, alice: User, permission: str
) -> None:
    with pytest.raises(Waiting):
        reserve(guarded, permission, ["viewer"], alice)
    assert rule(guarded, permission) is None


def test_letting_fewer_roles_in__does_not_wait_and_opening_it_again_does(
    guarded: Environment, alice: User
) -> None:
    reserve(guarded, APPROVE, ["senior_developer", "devops_lead"], alice)
    assert rule(guarded) == ["devops_lead", "senior_developer"]
    for wider in (None, ["senior_developer", "devops_lead", "developer"]):
        with pytest.raises(Waiting):
            reserve(guarded, APPROVE, wider, alice)
    assert rule(guarded) == ["devops_lead", "senior_developer"]


def test_elsewhere__nobody_is_asked(
    guarded: Environment, development: Environment, alice: User
) -> None:
    reserve(development, APPROVE, ["viewer"], alice)
    reserve(guarded, "release.deploy", ["viewer"], alice)
    assert rule(development) == ["viewer"]


def test_a_wider_rule__that_the_policy_approved__is_carried_out(
    guarded: Environment, alice: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        reserve(guarded, APPROVE, ["viewer", "devops_lead"], alice)
    request = waiting(error)
    vote(request, erin)
    assert vote(request, frank).problem == ""
    assert rule(guarded) == ["devops_lead", "viewer"]


def test_a_rule__changed_meanwhile__is_a_conflict(
    guarded: Environment, alice: User, erin: User, frank: User
) -> None:
    with pytest.raises(Waiting) as error:
        reserve(guarded, "flag.edit", ["viewer"], alice)
    reserve(guarded, "flag.edit", ["developer"], alice)
    request = waiting(error)
    vote(request, erin)
    assert "changed meanwhile" in vote(request, frank).problem
    assert rule(guarded, "flag.edit") == ["developer"]


@pytest.fixture
def helpers(shop: Project) -> CustomRole:
    return access.create_role(
        project=shop,
        key="helpers",
        name="Helpers",
        permissions=["flag.view"],
        intent=Intent(SETTING_UP),
    )


def test_a_role_that_gains_approving__waits_and_is_carried_out(
    guarded: Environment, helpers: CustomRole, alice: User, erin: User, frank: User
) -> None:
    wanted = ["flag.view", APPROVE]
    with pytest.raises(Waiting) as error:
        approvals.edit_role(
            role=helpers, name="Helpers", permissions=wanted, intent=Intent(acting(alice))
        )
    helpers.refresh_from_db()
    assert helpers.permissions == ["flag.view"]
    request = waiting(error)
    vote(request, erin)
    assert vote(request, frank).problem == ""
    helpers.refresh_from_db()
    assert helpers.permissions == sorted(wanted)


def test_a_role_that_gains_nothing_of_weight__does_not_wait(
    guarded: Environment, helpers: CustomRole, alice: User
) -> None:
    approvals.edit_role(
        role=helpers,
        name="Hands",
        permissions=["flag.view", "key.manage"],
        intent=Intent(acting(alice)),
    )
    helpers.refresh_from_db()
    assert helpers.name == "Hands"


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"required_approvals": 1, "required_roles": ["senior_developer", "devops_lead", "qa"]},
        TWO_ROLES | {"required_roles": ["senior_developer", "qa"]},
        TWO_ROLES | {"required_approvals": 20, "break_glass": ["viewer"]},
    ],
)
def test_a_policy__that_is_less_in_one_way_and_more_in_another__waits(
    guarded: Environment, alice: User, now: datetime, document: dict[str, object] | None
) -> None:
    with pytest.raises(Waiting):
        policy_services.set_policy(
            environment=guarded, document=document, intent=Intent(acting(alice), at=now)
        )
    guarded.policy.refresh_from_db()
    assert guarded.policy.required_approvals == 2
    assert ChangeRequest.objects.get().kind == "policy"
