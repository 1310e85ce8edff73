"""Policies: what they may say, and that the old one has to agree to less."""

from datetime import datetime

import pytest

from portal.access import services as access
from portal.access.models import Environment, Project, User
from portal.approvals.errors import Waiting
from portal.approvals.models import Policy
from portal.approvals.policies import services as policy_services
from portal.approvals.policies.rules import complete, is_lowering
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.people import SETTING_UP, acting

REFUSED = {
    "n is 0": ({"required_approvals": 0}, "between 1 and 20"),
    "n is missing": ({}, "between 1 and 20"),
    "n is true": ({"required_approvals": True}, "between 1 and 20"),
    "n is 21": ({"required_approvals": 21}, "between 1 and 20"),
    "unknown role": (
        {"required_approvals": 1, "required_roles": ["wizard"]},
        "There is no role or group called wizard. There are: auditor,",
    ),
    "a role twice": ({"required_approvals": 2, "required_roles": ["qa", "qa"]}, "qa stands there"),
    "roles are a word": ({"required_approvals": 1, "required_roles": "qa"}, "List names"),
    "nobody could": (
        {"required_approvals": 1, "required_roles": ["viewer"]},
        "This can never be satisfied: the role viewer cannot approve",
    ),
    "evidence is a list": ({"required_approvals": 1, "evidence": ["scan"]}, "Map each kind"),
    "evidence for what": ({"required_approvals": 1, "evidence": {"scan": "x"}}, "Say all or"),
    "evidence with spaces": ({"required_approvals": 1, "evidence": {"a b": "all"}}, "a b is no"),
    "glass for a stranger": ({"required_approvals": 1, "break_glass": ["x"]}, "called x"),
    "a year": ({"required_approvals": 1, "independence_days": 365}, "between 0 and 90"),
    "a minute": ({"required_approvals": 1, "break_glass_minutes": 1}, "between 5 and 1440"),
    "off maybe": ({"required_approvals": 1, "turning_off_needs_approval": 1}, "true or false"),
    "something else": ({"required_approvals": 1, "aprovals": 2}, "A policy has no aprovals"),
}


@pytest.mark.parametrize(("document", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_policy__is_refused_with_one_clear_sentence(
    production: Environment, document: dict[str, object], sentence: str
) -> None:
    rows = AuditEvent.objects.count()
    with pytest.raises(Invalid) as error:
        set_policy(production, **document)
    assert len(error.value.problems) == 1
    assert sentence in str(error.value)
    assert not Policy.objects.exists()
    assert AuditEvent.objects.count() == rows


@pytest.mark.parametrize("person", ["dana", "bob"])
def test_a_policy__by_who_may_not__is_forbidden(
    production: Environment, now: datetime, person: str
) -> None:
    actor = acting(User.objects.get(username=person))
    with pytest.raises(Forbidden):
        policy_services.set_policy(
            environment=production, document={"required_approvals": 1}, intent=Intent(actor, at=now)
        )


LOWERED = {
    "fewer": {"required_approvals": 1},
    "a role less": {"required_roles": ["qa"]},
    "another role": {"required_roles": ["qa", "devops_lead"]},
    "evidence less": {"evidence": {}},
    "evidence of less": {"evidence": {"scan": "artefacts"}},
    "off is free": {"turning_off_needs_approval": False},
    "more with hammers": {"break_glass": ["devops", "qa"]},
    "longer": {"break_glass_minutes": 90},
    "sooner two people": {"independence_days": 29},
}
RAISED = {
    "more": {"required_approvals": 3},
    "a role more": {"required_roles": ["qa", "senior_developer", "devops_lead"]},
    "evidence more": {"evidence": {"scan": "all", "load_test": "artefacts"}},
    "nobody with a hammer": {"break_glass": []},
    "shorter": {"break_glass_minutes": 10},
    "later two people": {"independence_days": 31},
    "nothing": {},
}
STRICT = complete(
    {
        "required_approvals": 2,
        "required_roles": ["qa", "senior_developer"],
        "evidence": {"scan": "all"},
        "turning_off_needs_approval": True,
        "break_glass": ["devops"],
    }
)


@pytest.mark.parametrize("change", LOWERED.values(), ids=LOWERED.keys())
def test_is_lowering__what_lets_more_pass(change: dict[str, object]) -> None:
    assert is_lowering(STRICT, STRICT | change)


@pytest.mark.parametrize("change", RAISED.values(), ids=RAISED.keys())
def test_is_lowering__what_lets_no_more_pass(change: dict[str, object]) -> None:
    assert not is_lowering(STRICT, STRICT | change)


def test_raising__takes_effect_at_once(guarded: Environment, alice: User, now: datetime) -> None:
    policy_services.set_policy(
        environment=guarded,
        document=TWO_ROLES | {"required_approvals": 3},
        intent=Intent(acting(alice), at=now),
    )
    assert Policy.objects.get().required_approvals == 3


@pytest.mark.parametrize("document", [{"required_approvals": 1}, None], ids=["less", "none"])
def test_lowering__waits_for_the_old_policy_even_for_a_site_administrator(
    guarded: Environment,
    alice: User,
    erin: User,
    frank: User,
    now: datetime,
    document: dict[str, object] | None,
) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    with pytest.raises(Waiting) as error:
        policy_services.set_policy(
            environment=guarded,
            document=document,
            intent=Intent(acting(alice), reason="too slow", at=now),
        )
    request = waiting(error)
    assert Policy.objects.get().required_approvals == 2
    vote(request, erin)
    assert Policy.objects.get().required_approvals == 2
    assert vote(request, frank).problem == ""
    assert [p.required_approvals for p in Policy.objects.all()] == ([1] if document else [])


def test_a_stale_edit__is_a_conflict_with_both_sides(
    guarded: Environment, alice: User, now: datetime
) -> None:
    with pytest.raises(Conflict) as error:
        policy_services.set_policy(
            environment=guarded,
            document=TWO_ROLES | {"required_approvals": 4},
            intent=Intent(acting(alice), at=now),
            expected_version=7,
        )
    assert error.value.current["required_approvals"] == 2
    assert error.value.yours["required_approvals"] == 4


def test_a_role_that_a_policy_names__stays(
    shop: Project, production: Environment, alice: User, now: datetime
) -> None:
    role = access.create_role(
        project=shop,
        key="release_captain",
        name="Release captain",
        permissions=["change_request.approve"],
        intent=Intent(acting(alice)),
    )
    set_policy(production, required_approvals=1, required_roles=["release_captain"])
    with pytest.raises(Invalid, match="The policy of Production names release_captain"):
        access.delete_role(role=role, intent=Intent(acting(alice)))
    group = access.create_group(
        project=shop, key="night-shift", name="Night shift", intent=Intent(acting(alice), at=now)
    )
    set_policy(
        production,
        required_approvals=1,
        required_roles=["release_captain", "night-shift"],
    )
    with pytest.raises(Invalid, match="names night-shift"):
        access.delete_group(group=group, intent=Intent(SETTING_UP))
