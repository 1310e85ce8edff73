"""What others fell to, tried against who may do what here."""

import hmac
import json
from datetime import datetime
from unittest import mock

import pytest
from django.test import Client

from flags.models import Flag
from portal.access import services
from portal.access.models import (
    ActionRule,
    ApiKey,
    CustomRole,
    Environment,
    Grant,
    Group,
    Invitation,
    Project,
    User,
)
from portal.access.tokens import Token, new_token
from portal.approvals.models import ChangeRequest, Vote
from portal.lib.errors import Forbidden
from portal.lib.journal import Intent
from portal.reports.models import Recertification, RecertificationItem
from portal.reports.services import start_recertification
from tests.support.agreeing import ask_for_something
from tests.support.people import SETTING_UP, acting, client_of, create_person, give_role

SCRIPT = "<script>alert(1)</script>"


# Child object not bound to the URL's project


@pytest.mark.parametrize("action", ["revoke", "confirm"])
def test_child_of_another_project__charlie_reaches_nothing_of_the_shop(
    shop: Project, garden: Project, charlie: User, dana: User, now: datetime, action: str
) -> None:
    start_recertification(project=shop, intent=Intent(SETTING_UP, at=now))
    item = RecertificationItem.objects.get(holder="dana")
    grant = dana.grants.get()
    browser = client_of(charlie)
    for path in (
        f"reports/recertification/{item.pk}/{action}",
        f"grants/{grant.pk}/revoke",
        f"members/{dana.pk}/remove",
        f"members/{dana.pk}/roles/new",
    ):
        assert browser.post(f"/p/garden/{path}", {"role": "viewer"}).status_code == 404
    assert Grant.objects.filter(pk=grant.pk).exists()


def test_child_of_another_project__a_key_for_an_environment_of_the_shop(
    shop: Project, garden: Project, charlie: User, now: datetime
) -> None:
    """Named in the form instead of the address."""
    services.create_environment(
        project=shop, key="canary", kind="staging", intent=Intent(SETTING_UP, at=now)
    )
    fields = {"name": "x", "kind": "admin", "environment": "canary", "role": "viewer"}
    browser = client_of(charlie)
    assert browser.post("/p/garden/keys/new", fields).status_code == 404
    assert browser.post("/p/garden/invitations/new", fields).status_code == 404
    assert browser.post("/p/garden/members/new", fields | {"username": "erin"}).status_code == 404
    assert not ApiKey.objects.exists()
    assert not Invitation.objects.exists()
    assert not User.objects.filter(username="erin").exists()


# Mass assignment


def test_mass_assignment__other_fields_of_a_form_change_nothing(
    alice_client: Client, shop: Project, garden: Project
) -> None:
    extra = {"project": garden.pk, "is_superuser": "1", "is_staff": "1", "id": "1", "user": "1"}
    alice_client.post("/p/shop/members/new", {"username": "erin", "role": "viewer"} | extra)
    erin = User.objects.get(username="erin")
    assert (erin.is_superuser, erin.is_staff) == (False, False)
    assert [grant.project for grant in erin.grants.all()] == [shop]
    alice_client.post("/p/shop/roles/new", {"key": "r", "name": "R", "permissions": []} | extra)
    assert CustomRole.objects.get().project == shop
    alice_client.post("/p/shop/groups/new", {"key": "g", "name": "G", "members": "1"} | extra)
    assert Group.objects.get().project == shop
    assert not Group.objects.get().members.exists()


def test_mass_assignment__an_edited_role_keeps_its_key_and_project(
    alice_client: Client, shop: Project, garden: Project
) -> None:
    services.create_role(
        project=shop,
        key="shipper",
        name="Shipper",
        permissions=["flag.view"],
        intent=Intent(SETTING_UP),
    )
    fields = {"name": "S", "permissions": "flag.view", "key": "viewer", "project": str(garden.pk)}
    assert alice_client.post("/p/shop/roles/shipper/edit", fields).status_code == 200
    role = CustomRole.objects.get()
    assert (role.key, role.project, role.name) == ("shipper", shop, "S")


def test_mass_assignment__other_fields_of_a_document_are_refused_by_name(
    production: Environment, new_checkout: Flag, now: datetime
) -> None:
    issued = services.issue_key(
        environment=production, kind="admin", name="Pipeline", intent=Intent(SETTING_UP, at=now)
    )
    headers = {"X-API-Key": str(issued.token)}
    for field in ("project", "version", "archived_at", "id", "created_by"):
        body = json.dumps({field: 1})
        address = f"/api/v1/projects/shop/flags/{new_checkout.key}"
        response = Client().patch(address, body, "application/json", headers=headers)
        assert response.status_code == 400, field
        assert field in response.json()["detail"]
    before = new_checkout.version
    new_checkout.refresh_from_db()
    assert new_checkout.version == before


# By GET


def test_by_get__nothing_is_granted_revoked_reserved_or_approved(
    alice_client: Client, shop: Project, dana: User, new_checkout: Flag, now: datetime
) -> None:
    """A picture in a page elsewhere makes a browser send GET, cookies and all."""
    request = ask_for_something(new_checkout, dana)
    start_recertification(project=shop, intent=Intent(SETTING_UP, at=now))
    item = RecertificationItem.objects.get(holder="dana")
    before = [*Grant.objects.values(), *ActionRule.objects.values()]
    for path in (
        f"members/{dana.pk}/roles/new?role=project_admin",
        f"grants/{dana.grants.get().pk}/revoke",
        f"members/{dana.pk}/remove",
        "members/new?username=erin&role=project_admin",
        "access/production/release.deploy?reserved=1&names=devops",
        f"reports/recertification/{item.pk}/revoke",
        "reports/recertification/sign-off",
        f"changes/{request.pk}?verdict=approve",
    ):
        assert alice_client.get(f"/p/shop/{path}").status_code in (200, 404, 405)
    assert [*Grant.objects.values(), *ActionRule.objects.values()] == before
    assert not Vote.objects.exists()
    assert ChangeRequest.objects.get().state == "open"
    assert Recertification.objects.get().is_open


# Rights revoked, session still open


def test_an_open_session__keeps_nothing_that_was_taken_away(
    shop: Project, production: Environment, now: datetime
) -> None:
    erin = create_person("erin")
    crew = services.create_group(
        project=shop, key="crew", name="C", intent=Intent(SETTING_UP, at=now)
    )
    give_role(shop, crew, "project_admin")
    services.add_to_group(group=crew, user=erin, intent=Intent(SETTING_UP))
    browser = client_of(erin)
    assert browser.get("/p/shop/members/new").status_code == 200
    services.remove_from_group(group=crew, user=erin, intent=Intent(SETTING_UP))
    assert browser.get("/p/shop/members/new").status_code == 404
    grant = give_role(shop, erin, "devops_lead")
    rule = "/p/shop/access/production/release.deploy"
    assert browser.get(rule).status_code == 200
    services.revoke_grant(grant=grant, intent=Intent(SETTING_UP))
    give_role(shop, erin, "viewer")
    assert browser.post(rule, {"reserved": "1", "names": "viewer"}).status_code == 403
    assert not ActionRule.objects.exists()


# Stored XSS


def test_stored_xss__names_of_roles_groups_people_and_notes_are_only_text(
    alice_client: Client, shop: Project, production: Environment, dana: User, now: datetime
) -> None:
    crew = services.create_group(
        project=shop, key="crew", name=SCRIPT, intent=Intent(SETTING_UP, at=now)
    )
    role = services.create_role(
        project=shop,
        key="shipper",
        name=SCRIPT,
        permissions=["flag.view"],
        intent=Intent(SETTING_UP),
    )
    give_role(shop, crew, role.key)
    services.add_to_group(group=crew, user=dana, intent=Intent(SETTING_UP))
    User.objects.filter(pk=dana.pk).update(first_name=SCRIPT, last_name='" onload="x')
    services.create_invitation(
        project=shop,
        role=role.key,
        note=SCRIPT,
        intent=Intent(acting(User.objects.get(username="alice")), at=now),
    )
    services.issue_key(
        environment=production, kind="server", name=SCRIPT, intent=Intent(SETTING_UP, at=now)
    )
    alice_client.post("/p/shop/access/production/flag.edit", {"reserved": "1", "names": "crew"})
    start_recertification(project=shop, intent=Intent(SETTING_UP, at=now))
    pages = ["members/", "groups/", "roles/", "invitations/", "access/", "keys/"]
    pages += [f"members/{dana.pk}/roles/new", "groups/crew/members/new", "roles/shipper/edit"]
    pages += ["access/person?person=dana&environment=production", "reports/keys/"]
    pages += ["reports/unused-roles/?days=30", "reports/recertification/"]
    pages += ["access/production/flag.edit"]
    for path in pages:
        text = alice_client.get(f"/p/shop/{path}").content.decode()
        assert SCRIPT not in text, path
        assert '" onload="x' not in text, path
        if path not in ("reports/unused-roles/?days=30",):
            assert "&lt;script&gt;" in text, path


# Redirects, timing


def test_open_redirect__signing_in_from_an_invitation_leads_back_to_it_and_nowhere_else(
    alice_client: Client, shop: Project, now: datetime
) -> None:
    create_person("erin")
    fields = {"username": "erin", "password": "correct-horse-battery"}
    for wanted, landing in (
        ("/invitation/av_invite_x_y", "/invitation/av_invite_x_y"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
    ):
        response = Client().post("/sign-in", fields | {"next": wanted})
        assert response.headers["Location"] == landing


def test_timing__the_secret_of_an_invitation_is_compared_in_constant_time(
    shop: Project, alice: User, now: datetime
) -> None:
    sent = services.create_invitation(
        project=shop, role="viewer", intent=Intent(acting(alice), at=now)
    )
    unknown = new_token("invite")
    wrong = Token("invite", sent.token.selector, unknown.secret)
    for token, right in ((sent.token, True), (wrong, False), (unknown, False)):
        with mock.patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compared:
            response = Client().get(f"/invitation/{token}")
        assert (response.status_code == 200) is right
        assert compared.call_count == 1
        assert {len(one) for one in compared.call_args.args} == {64}


# Helping oneself


@pytest.mark.parametrize("role", ["devops_lead", "senior_developer", "developer", "viewer"])
def test_self_granting__takes_the_permission_to_manage_members(
    shop: Project, production: Environment, now: datetime, role: str
) -> None:
    erin = create_person("erin")
    give_role(shop, erin, role)
    browser, me = client_of(erin), erin.pk
    crew = services.create_group(
        project=shop, key="crew", name="C", intent=Intent(SETTING_UP, at=now)
    )
    give_role(shop, crew, "project_admin")
    own = services.create_role(
        project=shop, key="own", name="Own", permissions=["flag.view"], intent=Intent(SETTING_UP)
    )
    give_role(shop, erin, own.key)
    before = list(Grant.objects.values())
    for path, fields in (
        (f"members/{me}/roles/new", {"role": "project_admin"}),
        ("members/new", {"username": "second", "role": "project_admin"}),
        ("groups/crew/members/new", {"username": "erin"}),
        ("roles/own/edit", {"name": "Own", "permissions": "member.manage"}),
        ("invitations/new", {"role": "project_admin"}),
    ):
        assert browser.post(f"/p/shop/{path}", fields).status_code == 403
    with pytest.raises(Forbidden):
        services.grant_role(
            project=shop, to=erin, role="project_admin", intent=Intent(acting(erin), at=now)
        )
    assert list(Grant.objects.values()) == before
    assert not crew.members.exists()


def test_self_granting__an_admin_of_one_environment_does_not_become_one_of_all(
    shop: Project, staging: Environment
) -> None:
    erin = create_person("erin")
    give_role(shop, erin, "project_admin", staging)
    address = f"/p/shop/members/{erin.pk}/roles/new"
    assert client_of(erin).post(address, {"role": "project_admin"}).status_code == 403
    assert erin.grants.count() == 1


def test_self_granting__managing_members_cannot_be_reserved_for_oneself(
    alice_client: Client, shop: Project
) -> None:
    for permission in ("member.manage", "environment.configure", "key.manage", "audit.export"):
        address = f"/p/shop/access/production/{permission}"
        assert alice_client.post(address, {"reserved": "1", "names": "qa"}).status_code == 404
    assert not ActionRule.objects.exists()
