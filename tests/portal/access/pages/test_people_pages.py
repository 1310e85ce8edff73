"""Members, groups and roles through the front door."""

from datetime import datetime

import pytest
from django.test import Client

from portal.access import authority, services
from portal.access.models import CustomRole, Environment, Grant, Group, Project, User
from portal.access.permissions import Permission
from portal.approvals import services as approvals
from portal.audit.models import AuditEvent
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from tests.support.people import SETTING_UP, create_person, give_role

MEMBERS, GROUPS, ROLES = "/p/shop/members/", "/p/shop/groups/", "/p/shop/roles/"


def text_of(client: Client, path: str) -> str:
    """The words of a page, whatever white space stands between them."""
    response = client.get(path)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


@pytest.fixture
def night_shift(shop: Project, now: datetime) -> Group:
    return services.create_group(
        project=shop, key="night-shift", name="Night shift", intent=Intent(SETTING_UP, at=now)
    )


def test_members__every_grant_is_a_pill_with_its_place_and_group(
    alice_client: Client, shop: Project, production: Environment, dana: User, night_shift: Group
) -> None:
    give_role(shop, dana, "on_call_engineer", production)
    give_role(shop, night_shift, "qa")
    services.add_to_group(group=night_shift, user=dana, intent=Intent(SETTING_UP))
    page = text_of(alice_client, MEMBERS)
    assert "developer · all environments" in page
    assert "on-call engineer · Production" in page
    assert 'QA · all environments <span class="role-via">via group Night shift</span>' in page


def test_members__another_role_in_one_environment__is_given_and_taken_away(
    alice_client: Client, shop: Project, dana: User, staging: Environment
) -> None:
    fields = {"role": "devops", "environment": "staging"}
    given = alice_client.post(f"{MEMBERS}{dana.pk}/roles/new", fields)
    assert given.status_code == 200
    assert given.headers["HX-Retarget"] == "#members"
    grant = Grant.objects.get(user=dana, role="devops")
    assert grant.environment == staging
    assert alice_client.post(f"/p/shop/grants/{grant.pk}/revoke").status_code == 200
    assert list(dana.grants.values_list("role", flat=True)) == ["developer"]
    events = AuditEvent.objects.filter(subject="dana", event__startswith="grant.")
    assert [one.event for one in events[:2]] == ["grant.revoked", "grant.given"]


def test_members__an_unknown_role_or_environment__is_refused_and_nothing_is_given(
    alice_client: Client, shop: Project, dana: User
) -> None:
    address = f"{MEMBERS}{dana.pk}/roles/new"
    refused = alice_client.post(address, {"role": "root"})
    assert refused.status_code == 422
    assert "Choose one of: viewer, auditor" in refused.content.decode()
    assert alice_client.post(address, {"role": "qa", "environment": "moon"}).status_code == 404
    assert dana.grants.count() == 1


def test_members__added_for_one_environment__hold_their_role_there_alone(
    alice_client: Client, shop: Project, staging: Environment, production: Environment
) -> None:
    fields = {"username": "erin", "role": "developer", "environment": "staging"}
    assert alice_client.post(f"{MEMBERS}new", fields).status_code == 200
    erin = User.objects.get(username="erin")
    held = authority.role_assignments_of(erin, shop)
    assert Permission.FLAG_EDIT in held.in_environment(staging.pk)
    assert Permission.FLAG_EDIT not in held.in_environment(production.pk)


def test_the_last_admin__cannot_be_taken_away_from_any_page(
    alice_client: Client, shop: Project, alice: User
) -> None:
    grant = alice.grants.get()
    for path in (f"/p/shop/grants/{grant.pk}/revoke", f"{MEMBERS}{alice.pk}/remove"):
        refused = alice_client.post(path)
        assert refused.status_code == 400
        assert "Make someone else project admin first." in refused.content.decode()
    assert Grant.objects.filter(pk=grant.pk).exists()


def test_groups__made_given_a_role_and_filled__make_members_of_people(
    alice_client: Client, shop: Project, production: Environment, charlie: User
) -> None:
    made = alice_client.post(f"{GROUPS}new", {"name": "Night shift", "key": "night-shift"})
    assert made.status_code == 200
    fields = {"role": "on_call_engineer", "environment": "production"}
    assert alice_client.post(f"{GROUPS}night-shift/roles/new", fields).status_code == 200
    added = alice_client.post(f"{GROUPS}night-shift/members/new", {"username": "charlie"})
    assert "charlie is in the group Night shift." in added.content.decode()
    held = authority.role_assignments_of(charlie, shop)
    assert Permission.RELEASE_ROLLBACK in held.in_environment(production.pk)
    taken = alice_client.post(f"{GROUPS}night-shift/members/{charlie.pk}/remove")
    assert taken.status_code == 200
    assert authority.role_assignments_of(charlie, shop).given == frozenset()
    assert alice_client.post(f"{GROUPS}night-shift/delete").status_code == 200
    assert not shop.groups.exists()


def test_groups__nobody_of_that_name__is_said_in_the_dialog(
    alice_client: Client, night_shift: Group
) -> None:
    refused = alice_client.post(f"{GROUPS}night-shift/members/new", {"username": "nobody"})
    assert refused.status_code == 422
    assert "There is no user nobody." in refused.content.decode()


@pytest.mark.parametrize("key", ["developer", "night-shift", "No Such", "", "x" * 51])
def test_groups__a_name_that_is_taken_or_malformed__is_refused(
    alice_client: Client, shop: Project, night_shift: Group, key: str
) -> None:
    refused = alice_client.post(f"{GROUPS}new", {"name": "Another", "key": key})
    assert refused.status_code == 422
    assert shop.groups.count() == 1


def test_roles__made_by_ticking_permissions__can_be_given(
    alice_client: Client, shop: Project, dana: User
) -> None:
    ticked = ["flag.view", "release.deploy"]
    made = alice_client.post(
        f"{ROLES}new", {"name": "Shipper", "key": "shipper", "permissions": ticked}
    )
    assert made.status_code == 200
    assert CustomRole.objects.get(key="shipper").permissions == ticked
    give_role(shop, dana, "shipper")
    assert "Shipper · all environments" in text_of(alice_client, MEMBERS)
    changed = alice_client.post(
        f"{ROLES}shipper/edit", {"name": "Shipper", "permissions": ["flag.view"]}
    )
    assert changed.status_code == 200
    assert Permission.RELEASE_DEPLOY not in authority.permissions_of_user(dana, shop)


def test_roles__an_unknown_permission__is_refused(alice_client: Client, shop: Project) -> None:
    fields = {"name": "R", "key": "r", "permissions": ["flag.view", "root.everything"]}
    refused = alice_client.post(f"{ROLES}new", fields)
    assert refused.status_code == 422
    assert "There is no permission called root.everything." in refused.content.decode()
    assert not CustomRole.objects.exists()


def test_roles__still_given__cannot_be_deleted_and_it_says_so(
    alice_client: Client, shop: Project, dana: User
) -> None:
    role = shipper(shop)
    give_role(shop, dana, "shipper")
    refused = alice_client.post(f"{ROLES}shipper/delete")
    assert refused.status_code == 400
    assert "still given to somebody; take it away there first" in refused.content.decode()
    services.set_role(
        project=shop, user=dana, role="viewer", intent=Intent(SETTING_UP, at=dana.date_joined)
    )
    assert alice_client.post(f"{ROLES}shipper/delete").status_code == 200
    assert not CustomRole.objects.filter(pk=role.pk).exists()


def test_roles__named_by_an_environment__cannot_be_deleted_and_it_says_where(
    alice_client: Client, shop: Project, production: Environment, now: datetime
) -> None:
    shipper(shop)
    approvals.reserve(
        environment=production,
        permission="release.deploy",
        names=["shipper"],
        intent=Intent(SETTING_UP, at=now),
    )
    refused = alice_client.post(f"{ROLES}shipper/delete")
    assert refused.status_code == 400
    assert (
        "Production reserves release.deploy for shipper; change that first."
        in refused.content.decode()
    )


def test_groups__named_by_an_environment__cannot_be_deleted(
    shop: Project, production: Environment, night_shift: Group, now: datetime
) -> None:
    approvals.reserve(
        environment=production,
        permission="release.deploy",
        names=["night-shift"],
        intent=Intent(SETTING_UP, at=now),
    )
    with pytest.raises(Invalid, match=r"Production reserves release\.deploy for night-shift"):
        services.delete_group(group=night_shift, intent=Intent(SETTING_UP))


def test_roles__the_only_admin_has_a_role_of_the_projects_own__it_keeps_member_manage(
    shop: Project, alice: User, now: datetime
) -> None:
    role = services.create_role(
        project=shop,
        key="owner",
        name="Owner",
        permissions=["flag.view", "member.manage"],
        intent=Intent(SETTING_UP),
    )
    services.set_role(project=shop, user=alice, role="owner", intent=Intent(SETTING_UP, at=now))
    with pytest.raises(Invalid, match="Nobody could manage"):
        approvals.edit_role(
            role=role, name="Owner", permissions=["flag.view"], intent=Intent(SETTING_UP)
        )
    role.refresh_from_db()
    assert "member.manage" in role.permissions


def test_a_viewer__sees_no_way_to_change_people_and_whom_to_ask(
    bob_client: Client, shop: Project, night_shift: Group
) -> None:
    shipper(shop)
    for path in (MEMBERS, GROUPS, ROLES, "/p/shop/invitations/"):
        page = text_of(bob_client, path)
        assert "disabled aria-describedby" in page
        assert "Ask an admin of the project." in page
        assert "hx-post" not in page


def test_a_deactivated_member__is_marked(alice_client: Client, shop: Project) -> None:
    erin = create_person("erin")
    give_role(shop, erin, "viewer")
    User.objects.filter(pk=erin.pk).update(is_active=False)
    assert "deactivated" in text_of(alice_client, MEMBERS)


def shipper(shop: Project) -> CustomRole:
    return services.create_role(
        project=shop,
        key="shipper",
        name="Shipper",
        permissions=["flag.view", "release.deploy"],
        intent=Intent(SETTING_UP),
    )
