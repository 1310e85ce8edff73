"""What keys with further rights write: environments, people, keys, policies, freezes, flags."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flags.models import Flag, FlagConfiguration
from portal.access import services
from portal.access.models import ApiKey, Environment, Group, Project, User
from portal.access.permissions import ADDITIONAL_RIGHTS
from portal.access.tokens import parse_token
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.models import ChangeRequest
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support.freezing import freeze_document
from tests.support.people import acting, boolean_flag
from tests.support.script import PRODUCTION, PROJECT, Script, answer, issue, problem

GONE = (204, b"")


@pytest.fixture
def script(production: Environment, alice: User, now: datetime) -> Script:
    """A script with all rights that keys can have, made by the admin of the shop."""
    issued = services.issue_key(
        environment=production,
        kind="admin",
        name="Pipeline",
        intent=Intent(acting(alice), at=now),
        rights=ADDITIONAL_RIGHTS,
    )
    return Script(str(issued.token))


def fields(response: Any, status: int = 400) -> list[str]:
    return [error["path"] for error in problem(response, status)["errors"]]


def is_gone(script: Script, path: str) -> bool:
    response = script.call("DELETE", f"{PROJECT}/{path}")
    return (response.status_code, response.content) == GONE


def test_a_project_and_its_environment__are_renamed_and_recorded(
    script: Script, shop: Project
) -> None:
    for path, event in ((PROJECT, "project.edited"), (PRODUCTION, "environment.edited")):
        assert answer(script.call("PATCH", path, {"name": " Live "}))["name"] == "Live"
        assert answer(script.call("PATCH", path, {"name": "Live"}))["name"] == "Live"
        (row,) = AuditEvent.objects.filter(event=event)
        assert (row.actor_kind, row.after_document) == ("key", {"name": "Live"})
        assert fields(script.call("PATCH", path, {"name": ""})) == ["name"]
        assert fields(script.call("PATCH", path, {"name": "x", "key": "y"})) == ["key"]
        assert fields(script.call("PATCH", path, {})) == ["name"]


def test_an_environment__is_added(script: Script, shop: Project, new_checkout: Flag) -> None:
    path = f"{PROJECT}/environments"
    made = script.post(path, {"key": "canary", "kind": "staging"})
    assert answer(script.get(made["Location"])) == answer(made, 201)
    assert not FlagConfiguration.objects.get(environment__key="canary").enabled
    assert fields(script.post(path, {"key": "canary", "kind": "staging"})) == ["key"]
    assert fields(script.post(path, {"key": "other", "kind": "golden"})) == ["kind"]


def test_a_member__is_added_gets_another_role_and_goes(script: Script, charlie: User) -> None:
    body = {"username": "charlie", "role": "viewer", "environment": "staging"}
    added = answer(script.post(f"{PROJECT}/members", body), 201)
    (held,) = added["roles"]
    assert (held["role"], held["environment"]) == ("viewer", "staging")
    assert fields(script.post(f"{PROJECT}/members", body)) == ["username"]
    edited = answer(script.call("PATCH", f"{PROJECT}/members/charlie", {"role": "developer"}))
    assert [one["role"] for one in edited["roles"]] == ["developer"]
    assert is_gone(script, "members/charlie")
    problem(script.call("DELETE", f"{PROJECT}/members/charlie"), 404)


def test_the_last_admin__stays(script: Script) -> None:
    problem(script.call("DELETE", f"{PROJECT}/members/alice"), 400)
    problem(script.call("PATCH", f"{PROJECT}/members/alice", {"role": "viewer"}), 400)


def test_a_grant__is_given_once_and_taken_away(script: Script, bob: User) -> None:
    path, body = f"{PROJECT}/grants", {"member": "bob", "role": "developer", "environment": None}
    given = answer(script.post(path, body), 201)
    assert answer(script.post(path, body), 201) == given
    assert is_gone(script, f"grants/{given['id']}")
    problem(script.call("DELETE", f"{path}/{given['id']}"), 404)
    problem(script.call("DELETE", f"{path}/{2**70}"), 404)
    assert fields(script.post(path, {"member": "bob", "group": "x", "role": "qa"})) == ["member"]
    assert fields(script.post(path, {"role": "qa"})) == ["member"]
    assert fields(script.post(path, {"group": "x", "role": "viewer"})) == ["group"]
    assert fields(script.post(path, {"member": "bob", "role": "king"})) == ["role"]
    wrong = {"member": "bob", "role": "viewer", "environment": "moon"}
    assert fields(script.post(path, wrong)) == ["environment"]


def test_a_group__is_made_filled_renamed_emptied_and_removed(script: Script, bob: User) -> None:
    made = script.post(f"{PROJECT}/groups", {"key": "crew"})
    assert answer(script.get(made["Location"])) == answer(made, 201)
    for _again in range(2):
        filled = script.call("PUT", f"{PROJECT}/groups/crew/members/bob")
        assert answer(filled)["members"] == ["bob"]
    named = script.call("PATCH", f"{PROJECT}/groups/crew", {"name": "The crew"})
    assert answer(named) == {"key": "crew", "name": "The crew", "members": ["bob"]}
    assert fields(script.call("PUT", f"{PROJECT}/groups/crew/members/eve")) == ["username"]
    assert is_gone(script, "groups/crew/members/bob")
    problem(script.call("DELETE", f"{PROJECT}/groups/crew/members/eve"), 404)
    assert is_gone(script, "groups/crew")
    assert not Group.objects.exists()


def test_a_role__is_made_edited_and_removed_and_the_built_in_ones_stay(script: Script) -> None:
    body = {"key": "shipper", "permissions": ["flag.view"]}
    made = script.post(f"{PROJECT}/roles", body)
    assert answer(script.get(made["Location"])) == answer(made, 201)
    edited = script.call("PATCH", f"{PROJECT}/roles/shipper", {"permissions": ["flag.toggle"]})
    assert (answer(edited)["name"], answer(edited)["permissions"]) == ("shipper", ["flag.toggle"])
    assert fields(script.post(f"{PROJECT}/roles", body | {"permissions": ["fly"]})) == ["key"]
    other = {"key": "pilot", "permissions": ["fly"]}
    assert fields(script.post(f"{PROJECT}/roles", other)) == ["permissions"]
    assert is_gone(script, "roles/shipper")
    for role in ("viewer", "shipper"):
        problem(script.call("DELETE", f"{PROJECT}/roles/{role}"), 404)


def test_an_invitation__is_sent_and_taken_back(script: Script) -> None:
    sent = answer(script.post(f"{PROJECT}/invitations", {"role": "viewer", "note": "Eve"}), 201)
    assert sent["link"].startswith("http")
    assert is_gone(script, f"invitations/{sent['id']}")
    (kept,) = answer(script.get(f"{PROJECT}/invitations"))["invitations"]
    assert kept["state"] == "revoked"


def test_a_key__is_made_edited_and_revoked(script: Script, now: datetime, alice: User) -> None:
    body = {"name": "Shop", "kind": "client", "allowed_origins": ["https://Shop.example:443"]}
    body |= {"expires_at": (now + timedelta(days=1)).isoformat()}
    made = script.post(f"{PROJECT}/keys", body)
    document = answer(made, 201)
    key = ApiKey.objects.get(selector=document["selector"])
    token = parse_token(document["token"])
    assert token
    assert token.proves(key.verifier)
    assert (key.creator, key.environment.key, key.rights) == (alice, "production", [])
    assert document["allowed_origins"] == ["https://shop.example"]
    limits = {"rate_limit": 50, "burst_limit": None}
    edited = answer(script.call("PATCH", made["Location"], limits))
    assert (edited["rate_limit"], edited["allowed_origins"]) == (50, ["https://shop.example"])
    assert fields(script.call("PATCH", made["Location"], {"rate_limit": 0})) == ["rate_limit"]
    assert fields(script.call("PATCH", made["Location"], {"kind": "admin"})) == ["kind"]
    assert fields(script.post(f"{PROJECT}/keys", {"kind": "server"})) == ["name"]
    past = body | {"expires_at": "2020-01-01T00:00:00Z"}
    assert fields(script.post(f"{PROJECT}/keys", past)) == ["expires_at"]
    assert is_gone(script, f"keys/{key.selector}")
    key.refresh_from_db()
    assert key.is_revoked


def test_a_policy__is_set_where_there_was_none(script: Script) -> None:
    path = f"{PRODUCTION}/policy"
    made = script.call("PUT", path, {"required_approvals": 2})
    assert made["ETag"] == script.get(path)["ETag"]
    assert answer(made)["updated_by"].startswith("Pipeline")
    stale = {"required_approvals": 3}
    problem(script.call("PUT", path, stale, if_match='"7"'), 409)
    tag = made["ETag"]
    assert fields(script.call("PUT", path, {"required_approvals": 0}, if_match=tag))
    assert fields(script.call("PUT", path, stale | {"agreement": 1}, if_match=tag)) == ["agreement"]


def test_a_freeze__is_planned_moved_and_cancelled(script: Script, shop: Project) -> None:
    document = freeze_document(environments=["production"])
    made = script.post(f"{PROJECT}/freezes", document)
    where, tag = made["Location"], made["ETag"]
    assert answer(script.get(where)) == answer(made, 201)
    moved = document | {"name": "Longer", "ends": "2098-12-30T08:00"}
    problem(script.call("PUT", where, moved), 428)
    assert answer(script.call("PUT", where, moved, if_match=tag))["name"] == "Longer"
    problem(script.call("PUT", where, document, if_match=tag), 409)
    assert script.call("DELETE", where).status_code == 204
    assert FreezeWindow.objects.get().is_cancelled
    problem(script.get(where), 404)


# Flags: what every admin key may


def configured(flag: Flag, place: str) -> FlagConfiguration:
    return FlagConfiguration.objects.get(flag=flag, environment__key=place)


def test_a_configuration__of_another_environment__is_copied_by_people_only(
    production: Environment, new_checkout: Flag
) -> None:
    script = Script(issue(production))
    tag = script.get(f"{PRODUCTION}/flags/{new_checkout.key}")["ETag"]
    path = f"{PRODUCTION}/copy/{new_checkout.key}"
    said = problem(script.post(path, {"source": "staging"}, if_match=tag), 403)
    assert "does not reach “staging”" in said["detail"]


def test_a_flag__is_cloned_with_what_the_key_reaches(
    production: Environment, new_checkout: Flag
) -> None:
    script = Script(issue(production))
    body = {"key": "second", "environments": ["production", "staging"]}
    made = script.post(f"{PROJECT}/clone/{new_checkout.key}", body)
    document = answer(made, 201)
    assert answer(script.get(made["Location"])) == document["flag"]
    assert [one["environment"] for one in document["refused"]] == ["staging"]
    assert fields(script.post(f"{PROJECT}/clone/{new_checkout.key}", body)) == ["key"]
    problem(script.post(f"{PROJECT}/clone/nothing", body), 404)


def test_many_flags__are_changed_each_by_itself(guarded: Environment, new_checkout: Flag) -> None:
    script = Script(issue(guarded))
    answer(script.post(f"{PROJECT}/flags", boolean_flag("cart")), 201)
    body: dict[str, Any] = {"flags": ["cart", new_checkout.key]}
    tagged = script.post(f"{PROJECT}/bulk", body | {"action": "add_tags", "tags": ["q4"]})
    assert {one["end"] for one in answer(tagged)["ends"]} == {"done"}
    on = body | {"action": "turn_on", "environment": "production"}
    ends = answer(script.post(f"{PROJECT}/bulk", on))["ends"]
    assert [(one["end"], bool(one["address"])) for one in ends] == [("waiting", True)] * 2
    assert ChangeRequest.objects.count() == 2
    problem(script.post(f"{PROJECT}/bulk", on | {"environment": "staging"}), 403)
    bad = {
        "action": body | {"action": "explode"},
        "flags": {"action": "archive", "flags": ["nothing"]},
        "tags": body | {"action": "add_tags"},
        "environment": body | {"action": "turn_on"},
        "terms": on | {"terms": 1},
    }
    for field, document in bad.items():
        assert fields(script.post(f"{PROJECT}/bulk", document)) == [field]
    assert fields(script.post(f"{PROJECT}/bulk", {"action": "archive", "flags": []})) == ["flags"]
