"""Admin keys with further rights: what they may do, and what they may never do."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import pytest
from django.test import Client
from django.urls import reverse

from portal.access import authority, services
from portal.access.models import ApiKey, Environment, Invitation, KeptAnswer, Project, User
from portal.access.permissions import ADDITIONAL_RIGHTS
from portal.access.services import NotByKeys
from portal.approvals.freezes.services import lift_line
from portal.approvals.models import ChangeRequest, Policy
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent, Trace
from tests.support.agreeing import set_policy
from tests.support.freezing import freeze_document, freeze_now
from tests.support.people import SETTING_UP, acting, boolean_flag, give_role
from tests.support.rows import everything_kept
from tests.support.script import FLAGS, PRODUCTION, PROJECT, Script, answer, issue, problem

ALL = [str(right) for right in ADDITIONAL_RIGHTS]
Make: TypeAlias = Callable[..., Script]


@pytest.fixture
def make(production: Environment, now: datetime) -> Make:
    """A script with an admin key for production that somebody made."""

    def key_of(person: User, *rights: str, place: Environment = production) -> Script:
        issued = services.issue_key(
            environment=place,
            kind="admin",
            name="Pipeline",
            intent=Intent(acting(person), at=now),
            rights=rights,
        )
        return Script(str(issued.token))

    return key_of


@pytest.fixture
def steward(make: Make, alice: User) -> Script:
    """A script with all that keys can have, made by the admin of the shop."""
    return make(alice, *ALL)


def take_all(project: Project, person: User) -> None:
    project.grants.filter(user=person).delete()


# What stands behind a key


def test_a_key__of_somebody_who_does_not_edit_flags__does_not_edit_them(
    shop: Project, charlie: User, make: Make
) -> None:
    """DevOps manages keys and turns flags on and off, and does not say what they are."""
    give_role(shop, charlie, "devops")
    script = make(charlie)
    assert "edit flags" in problem(script.post(FLAGS, boolean_flag("cart")), 403)["detail"]
    answer(script.get(FLAGS))


def test_a_key__of_an_operator__does_what_it_was_issued_for(production: Environment) -> None:
    answer(Script(issue(production)).post(FLAGS, boolean_flag("cart")), 201)


def test_a_key_whose_maker_lost_the_right__has_lost_it_too(
    shop: Project, alice: User, bob: User, steward: Script
) -> None:
    give_role(shop, bob, "project_admin")
    shop.grants.filter(user=alice).update(role="developer")
    before = everything_kept()
    for path, body in (("groups", {"key": "crew"}), ("keys", {"name": "x", "kind": "server"})):
        problem(steward.post(f"{PROJECT}/{path}", body), 403)
    problem(steward.call("PUT", f"{PRODUCTION}/policy", {"required_approvals": 1}), 403)
    assert everything_kept() == before
    answer(steward.post(FLAGS, boolean_flag("cart")), 201)


@pytest.mark.parametrize("what", ["deactivated", "deleted", "no member"])
def test_a_key_whose_maker_is_gone__opens_nothing(
    shop: Project, alice: User, steward: Script, what: str
) -> None:
    if what == "deactivated":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    elif what == "deleted":
        alice.delete()
    else:
        take_all(shop, alice)
    for path in ("/api/v1/projects", FLAGS, f"{PROJECT}/keys", f"{PROJECT}/history"):
        problem(steward.get(path), 403)
    problem(steward.post(f"{PROJECT}/groups", {"key": "crew"}), 403)


# Issuing


def test_a_right__that_its_maker_does_not_hold__is_refused(
    shop: Project, charlie: User, make: Make
) -> None:
    give_role(shop, charlie, "devops")
    make(charlie, "key.manage")
    with pytest.raises(Forbidden, match="manage members"):
        make(charlie, "member.manage")
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("right", ["freeze.override", "change_request.approve", "everything"])
def test_a_right__that_keys_do_not_have__is_refused(alice: User, make: Make, right: str) -> None:
    with pytest.raises(Invalid) as refused:
        make(alice, right)
    assert list(refused.value.problems) == ["rights"]


def test_rights__of_a_server_key__are_refused(
    production: Environment, alice: User, now: datetime
) -> None:
    with pytest.raises(Invalid) as refused:
        services.issue_key(
            environment=production,
            kind="server",
            name="x",
            intent=Intent(acting(alice), at=now),
            rights=["key.manage"],
        )
    assert list(refused.value.problems) == ["rights"]


def test_the_right_of_client_keys__takes_what_making_a_server_key_does(
    alice_client: Client, bob_client: Client, steward: Script, make: Make, alice: User
) -> None:
    """What is told with such a key rolls releases back."""
    body = {"name": "App", "kind": "client", "rights": ["telemetry"]}
    made = answer(steward.post(f"{PROJECT}/keys", body), 201)
    assert answer(steward.get(f"{PROJECT}/keys/{made['selector']}"))["rights"] == ["telemetry"]
    address = reverse("key-create", args=["shop"])
    form = body | {"environment": "production", "expires_in": ""}
    assert alice_client.post(address, form).status_code == 200
    assert "may also decide about releases" in alice_client.get("/p/shop/keys/").content.decode()
    plain = make(alice)
    before = everything_kept()
    assert bob_client.post(address, form).status_code == 403
    problem(plain.post(f"{PROJECT}/keys", body), 403)
    for kind, rights in (("server", ["telemetry"]), ("client", ["key.manage"])):
        wrong = body | {"kind": kind, "rights": rights}
        refused = problem(steward.post(f"{PROJECT}/keys", wrong), 400)
        assert [error["path"] for error in refused["errors"]] == ["rights"]
        page = alice_client.post(address, form | wrong)
        assert page.status_code == 422
    wrong = form | {"kind": "admin"}
    assert alice_client.post(address, wrong).status_code == 422
    assert everything_kept() == before


def test_the_page__issues_rights_and_says_who_has_which(
    shop: Project, alice_client: Client, bob: User, now: datetime
) -> None:
    form = {"name": "Terraform", "kind": "admin", "environment": "staging", "expires_in": "30"}
    address = reverse("key-create", args=["shop"])
    assert "key.manage" in alice_client.get(address).content.decode()
    answered = alice_client.post(address, form | {"rights": ["member.manage", "key.manage"]})
    assert answered.status_code == 200
    key = ApiKey.objects.get()
    assert key.rights == ["member.manage", "key.manage"]
    event = AuditEvent.objects.get(event="key.created")
    assert (event.after_document or {})["rights"] == key.rights
    page = alice_client.get("/p/shop/keys/").content.decode()
    assert "may also manage members, manage API keys" in page
    User.objects.filter(pk=bob.pk).update(is_active=False)
    ApiKey.objects.update(creator=bob)
    assert "inactive" in alice_client.get("/p/shop/keys/").content.decode()


# Widening


def test_a_key__never_makes_nor_changes_an_admin_key(steward: Script) -> None:
    own = ApiKey.objects.get()
    before = everything_kept()
    body = {"name": "More", "kind": "admin"}
    refused = problem(steward.post(f"{PROJECT}/keys", body), 403)
    assert "admin keys" in refused["detail"]
    problem(steward.call("PATCH", f"{PROJECT}/keys/{own.selector}", {"rate_limit": 5}), 403)
    assert everything_kept() == before


@pytest.mark.parametrize("field", ["rights", "by_operator", "creator", "environment", "selector"])
def test_mass_assignment__of_a_key__is_named(steward: Script, field: str) -> None:
    body = {"name": "More", "kind": "server", field: "key.manage"}
    refused = problem(steward.post(f"{PROJECT}/keys", body), 400)
    assert [error["path"] for error in refused["errors"]] == [field]
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("role", ["project_admin", "qa", "devops_lead", "senior_developer"])
def test_a_key__never_gives_what_lets_people_approve(
    shop: Project, steward: Script, bob: User, charlie: User, role: str
) -> None:
    """Whoever stole it would invite the people who agree with it."""
    group = services.create_group(
        project=shop, key="crew", name="Crew", intent=Intent(SETTING_UP, at=shop.created_at)
    )
    give_role(shop, group, role)
    before = everything_kept()
    attempts = [
        steward.post(f"{PROJECT}/members", {"username": "charlie", "role": role}),
        steward.post(f"{PROJECT}/grants", {"member": "bob", "role": role}),
        steward.post(f"{PROJECT}/grants", {"group": "crew", "role": role}),
        steward.post(f"{PROJECT}/invitations", {"role": role}),
        steward.call("PATCH", f"{PROJECT}/members/bob", {"role": role}),
        steward.call("PUT", f"{PROJECT}/groups/crew/members/bob"),
    ]
    for response in attempts:
        assert "API key cannot give" in problem(response, 403)["detail"]
    assert everything_kept() == before


def test_a_key__gives_no_more_than_its_maker_holds(
    shop: Project, charlie: User, make: Make
) -> None:
    keeps = ["flag.view", "key.manage"]
    for key, permissions in (("steward", [*keeps, "member.manage"]), ("keeper", keeps)):
        services.create_role(
            project=shop, key=key, name="S", permissions=permissions, intent=Intent(SETTING_UP)
        )
    give_role(shop, charlie, "steward")
    script = make(charlie, "member.manage")
    answer(script.post(f"{PROJECT}/grants", {"member": "bob", "role": "keeper"}), 201)
    for role in ("developer", "devops", "steward"):
        for member in ("charlie", "bob"):
            problem(script.post(f"{PROJECT}/grants", {"member": member, "role": role}), 403)
    body = {"key": "editor", "permissions": ["flag.edit"]}
    problem(script.post(f"{PROJECT}/roles", body), 403)
    patch = {"permissions": ["flag.view", "member.manage", "flag.edit"]}
    problem(script.call("PATCH", f"{PROJECT}/roles/steward", patch), 403)


def test_a_role_that_approves__is_made_by_no_key(steward: Script) -> None:
    body = {"key": "judge", "permissions": ["change_request.approve"]}
    problem(steward.post(f"{PROJECT}/roles", body), 403)


def test_a_group_that_may_break_glass__gets_nobody_by_a_key(
    steward: Script, shop: Project, production: Environment, now: datetime
) -> None:
    services.create_group(project=shop, key="firemen", name="F", intent=Intent(SETTING_UP, at=now))
    set_policy(production, required_approvals=1, break_glass=["firemen"])
    refused = problem(steward.call("PUT", f"{PROJECT}/groups/firemen/members/bob"), 403)
    assert "A policy names this role or group" in refused["detail"]


def test_a_key__makes_no_account(steward: Script) -> None:
    body = {"username": "puppet", "role": "viewer"}
    refused = problem(steward.post(f"{PROJECT}/members", body), 400)
    assert [error["path"] for error in refused["errors"]] == ["username"]
    assert not User.objects.filter(username="puppet").exists()


def test_an_invitation_of_a_key__that_was_revoked__is_over(
    steward: Script, shop: Project, charlie: User, now: datetime
) -> None:
    body = {"role": "viewer"}
    links = [answer(steward.post(f"{PROJECT}/invitations", body), 201)["link"] for _one in range(2)]
    tokens = [link.rstrip("/").rpartition("/")[2] for link in links]
    accepting: dict[str, Any] = {"user": charlie, "trace": acting(charlie).trace, "now": now}
    services.accept_invitation(token=tokens[0], **accepting)
    services.revoke_key(key=ApiKey.objects.get(), intent=Intent(SETTING_UP, at=now))
    with pytest.raises(services.InvitationOver):
        services.accept_invitation(token=tokens[1], **accepting)


def test_lowering_a_policy__waits_for_people(steward: Script, production: Environment) -> None:
    set_policy(production, required_approvals=2)
    address = f"{PRODUCTION}/policy"
    tag = steward.get(address)["ETag"]
    said = problem(steward.call("PUT", address, {"required_approvals": 1}, if_match=tag), 409)
    assert said["change_request"]["id"] == ChangeRequest.objects.get().pk
    assert Policy.objects.get().required_approvals == 2
    problem(steward.call("PUT", address, {"required_approvals": 1}), 428)
    raised = steward.call("PUT", address, {"required_approvals": 3}, if_match=tag)
    assert answer(raised)["required_approvals"] == 3


def test_letting_a_role_do_more__waits_for_the_policy(
    steward: Script, shop: Project, guarded: Environment
) -> None:
    services.create_role(
        project=shop, key="shipper", name="S", permissions=["flag.view"], intent=Intent(SETTING_UP)
    )
    patch = {"permissions": ["flag.view", "flag.edit"]}
    said = problem(steward.call("PATCH", f"{PROJECT}/roles/shipper", patch), 409)
    assert said["change_request"]


def test_a_freeze_in_force__is_not_ended_by_a_key(steward: Script, production: Environment) -> None:
    freeze = freeze_now(production)
    refused = problem(steward.call("DELETE", f"{PROJECT}/freezes/{freeze.pk}"), 403)
    assert "during a freeze" in refused["detail"]


def test_another_environment__is_not_reached(
    steward: Script, staging: Environment, now: datetime
) -> None:
    other = services.issue_key(
        environment=staging, kind="server", name="s", intent=Intent(SETTING_UP, at=now)
    ).key
    before = everything_kept()
    path = f"{PROJECT}/environments/staging"
    attempts = [
        steward.call("PATCH", path, {"name": "Stage"}),
        steward.call("PUT", f"{path}/policy", {"required_approvals": 1}),
        steward.post(f"{PROJECT}/freezes", freeze_document(environments=["staging"])),
    ]
    for response in attempts:
        problem(response, 403)
    for method, body in (("DELETE", {}), ("PATCH", {"rate_limit": 1})):
        problem(steward.call(method, f"{PROJECT}/keys/{other.selector}", body), 404)
    assert everything_kept() == before


def test_another_project__is_not_there(steward: Script, garden: Project) -> None:
    before = everything_kept()
    for method, path in (("POST", "groups"), ("PATCH", ""), ("POST", "keys"), ("POST", "bulk")):
        address = f"/api/v1/projects/garden/{path}".rstrip("/")
        problem(steward.call(method, address, {"name": "Mine", "key": "mine"}), 404)
    assert everything_kept() == before


def test_a_key_with_the_right__stops_the_line_of_its_environment_and_never_lifts_it(
    steward: Script, script: Script, production: Environment
) -> None:
    line = f"{PRODUCTION}/line"
    assert answer(script.get(line))["stopped"] is False
    problem(script.call("PUT", line, {"reason": "errors rise"}), 403)
    problem(steward.call("PUT", f"{PROJECT}/environments/staging/line", {"reason": "x"}), 403)
    problem(steward.call("PUT", line, {"reason": " "}), 400)
    stopped = answer(steward.call("PUT", line, {"reason": "errors rise"}))
    assert (stopped["stopped"], stopped["reason"]) == (True, "errors rise")
    assert answer(script.get(line)) == stopped
    problem(steward.call("DELETE", line), 405)
    actor = authority.key_actor(ApiKey.objects.earliest("pk"), Trace())
    with pytest.raises(NotByKeys):
        lift_line(environment=production, intent=Intent(actor))


# What is shown once


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("keys", {"name": "Shop", "kind": "server"}, "token"),
        ("invitations", {"role": "viewer"}, "link"),
    ],
)
def test_what_is_shown_once__is_not_kept_and_not_replayed(
    steward: Script, path: str, body: dict[str, str], field: str
) -> None:
    once: dict[str, Any] = {"Idempotency_Key": "a-1"}
    first = answer(steward.post(f"{PROJECT}/{path}", body, **once), 201)
    again = steward.post(f"{PROJECT}/{path}", body, **once)
    assert again["Idempotency-Replayed"] == "true"
    replayed = answer(again, 201)
    assert (replayed[field], first["notice"]) == (None, "")
    assert "not stored" in replayed["notice"]
    assert replayed == first | {field: None, "notice": replayed["notice"]}
    secret = first[field].rstrip("/")[-20:]  # it may have underscores
    assert secret not in KeptAnswer.objects.get().body
    assert secret not in str(everything_kept())
    assert ApiKey.objects.count() + Invitation.objects.count() == 2


def test_services__refuse_keys_by_themselves(
    steward: Script, production: Environment, now: datetime
) -> None:
    """Whatever an endpoint forgets."""
    actor = authority.key_actor(ApiKey.objects.get(), Trace())
    with pytest.raises(NotByKeys):
        services.issue_key(
            environment=production, kind="admin", name="x", intent=Intent(actor, at=now)
        )
