"""What all reads have in common, and what keys read of projects and access."""

import json
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from flags.exclusion_groups.services import create_group
from flags.models import Flag
from flags.segments.services import create_segment
from portal.access import services
from portal.access.models import ApiKey, Environment, Project, User
from portal.approvals.models import ChangeRequest
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent
from tests.support.agreeing import ask_for_something, set_policy
from tests.support.desk import Desk
from tests.support.freezing import a_freeze
from tests.support.grouping import an_aborted_group
from tests.support.people import SETTING_UP, acting, boolean_flag
from tests.support.planning import a_schedule
from tests.support.releasing import a_policy, a_template, an_aborted_release
from tests.support.script import (
    FLAGS,
    PRODUCTION,
    PROJECT,
    Script,
    answer,
    issue,
    problem,
    serve_only_in,
)

SCHEMA = "/api/schema/?format=json"


@pytest.fixture
def schema(db: None) -> Any:
    return json.loads(Client().get(SCHEMA).content)


@pytest.fixture
def asked(new_checkout: Flag, dana: User) -> ChangeRequest:
    return ask_for_something(new_checkout, dana, "production")


@pytest.fixture
def reads(
    schema: Any,
    script: Script,
    asked: ChangeRequest,
    production: Environment,
    new_checkout: Flag,
    dana: User,
    shop: Project,
) -> dict[str, Any]:
    """Each read of the schema that the shop has something for, by its address."""
    desk = Desk(new_checkout, production, clock.now())
    for create in (create_segment, create_group):
        create(
            project=shop, document={"key": asked.subject}, intent=Intent(SETTING_UP, at=desk.now)
        )
    known = {
        "project": "shop",
        "environment": "production",
        "key": asked.subject,
        "number": asked.pk,
        "selector": ApiKey.objects.get().selector,
        "which": "included",
        "group": services.create_group(
            project=production.project, key="crew", name="Crew", intent=Intent(SETTING_UP)
        ).key,
        "role": "viewer",
        "freeze": a_freeze(production.project, environments=["production"]).pk,
        "plan": a_schedule(Desk(new_checkout, production, clock.now()), dana).pk,
        "record": AuditEvent.objects.get(event="flag.created").sequence,
        "release": an_aborted_release(production).pk,
        "release_group": an_aborted_group(production).pk,
        "service": "checkout",
        "template": a_template(shop).key,
        "policy": a_policy(shop).key,
    }
    set_policy(production, required_approvals=1)
    nothing = ("/api/schema/", "/ramps/{plan}")  # the plan is a schedule
    return {
        path.format(**known): methods["get"]
        for path, methods in schema["paths"].items()
        if "get" in methods and not path.endswith(nothing)
    }


def test_every_read__with_its_etag__is_304_until_it_changes(
    script: Script, reads: dict[str, Any]
) -> None:
    for path, operation in reads.items():
        asks_at = operation["operationId"] == "list_freezes"
        path += _needed(operation) + ("?at=2030-01-01T00:00:00Z" if asks_at else "")
        tag = script.get(path)["ETag"]
        for shown in (tag, f'"x", W/{tag}', "*"):
            known = script.get(path, If_None_Match=shown)
            assert (known.status_code, known.content, known["ETag"]) == (304, b"", tag), path
        assert script.get(path, If_None_Match='"else"').status_code == 200


def _needed(operation: dict[str, Any]) -> str:
    names = [p["name"] for p in operation["parameters"] if p["in"] == "query" and p.get("required")]
    return "?" + "&".join(f"{name}=sha256:{'0' * 64}" for name in names) if names else ""


def test_every_read__asked_something_that_there_is_not__names_it(
    script: Script, reads: dict[str, Any]
) -> None:
    for path, operation in reads.items():
        refused = problem(script.get(f"{path}?colour=red"), 400)
        assert refused["errors"] == [{"path": "colour", "message": "There is no such parameter."}]
        allowed = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
        given = script.get(path + "?" + "&".join(f"{name}=1" for name in allowed)).content
        assert b"no such parameter" not in given, path


def test_every_list__takes_a_limit_from_1_to_200(script: Script, reads: dict[str, Any]) -> None:
    lists = [
        path
        for path, operation in reads.items()
        if any(one["name"] == "limit" for one in operation["parameters"])
    ]
    without = [one["operationId"] for path, one in reads.items() if path not in lists]
    assert [name for name in without if name.startswith("list_")] == ["list_freezes"]
    for path in lists:
        query = f"{path}?digest=x&limit=" if path.endswith("/evidence") else f"{path}?limit="
        for limit in ("1", "200"):
            answer(script.get(query + limit))
        # What is no number is refused by all in the same place, and is asked of one.
        others = ("-1", "x", "1.5", "99999", "%C2%B2") if path == lists[0] else ()
        for limit in ("0", "201", *others):
            refused = problem(script.get(query + limit), 400)
            assert [error["path"] for error in refused["errors"]] == ["limit"]


def test_a_list__followed_by_its_links__has_each_row_once_whatever_is_added(
    script: Script,
) -> None:
    for name in ("b", "d", "f"):
        script.post(FLAGS, boolean_flag(name))
    response = script.get(f"{FLAGS}?limit=2&search=&archived=false")
    seen = [flag["key"] for flag in answer(response)["flags"]]
    for name in ("a", "e"):
        script.post(FLAGS, boolean_flag(name))
    while "Link" in response:
        address, _semicolon, rel = response["Link"].partition("; ")
        assert rel == 'rel="next"'
        response = script.get(address.strip("<>"))
        seen += [flag["key"] for flag in answer(response)["flags"]]
    assert seen == ["b", "d", "e", "f"]


def test_a_flag_that_is_archived_and_back__has_another_etag_each_time(
    script: Script, production: Environment, flag: str
) -> None:
    serve_only_in(production)
    tags = [script.get(f"{FLAGS}/{flag}")["ETag"]]
    script.call("DELETE", f"{FLAGS}/{flag}")
    tags.append(script.get(f"{FLAGS}/{flag}")["ETag"])
    restored = script.post(f"{PROJECT}/restore/{flag}")
    assert answer(restored)["archived"] is False
    tags.append(restored["ETag"])
    assert len(set(tags)) == 3


def test_projects__are_the_keys_own(script: Script, garden: Project) -> None:
    (found,) = answer(script.get("/api/v1/projects"))["projects"]
    assert found == answer(script.get(PROJECT))
    assert found["key"] == "shop"


def test_access__is_read_as_it_is_and_has_no_secrets(
    script: Script, shop: Project, alice: User, bob: User, staging: Environment, now: datetime
) -> None:
    by = acting(alice)
    crew = services.create_group(project=shop, key="crew", name="Crew", intent=Intent(by, at=now))
    services.add_to_group(group=crew, user=bob, intent=Intent(by))
    services.grant_role(
        project=shop, to=crew, role="qa", environment=staging, intent=Intent(by, at=now)
    )
    services.create_role(
        project=shop, key="shipper", name="Shipper", permissions=["flag.view"], intent=Intent(by)
    )
    sent = services.create_invitation(project=shop, role="viewer", intent=Intent(by, at=now))
    documents = {
        name: answer(script.get(f"{PROJECT}/{name}"))[name]
        for name in ("environments", "members", "grants", "groups", "roles", "invitations", "keys")
    }
    environments = [one["key"] for one in documents["environments"]]
    assert environments == ["development", "production", "staging"]
    (held,) = (one["roles"] for one in documents["members"] if one["username"] == "bob")
    assert {"role": "qa", "environment": "staging", "group": "crew"} in held
    (grant,) = answer(script.get(f"{PROJECT}/grants?group=crew"))["grants"]
    assert (grant["member"], grant["role"], grant["environment"]) == (None, "qa", "staging")
    assert documents["groups"] == [{"key": "crew", "name": "Crew", "members": ["bob"]}]
    (own,) = (role for role in documents["roles"] if role["custom"])
    assert (own["key"], own["permissions"], own["given"]) == ("shipper", ["flag.view"], 0)
    assert [one["state"] for one in documents["invitations"]] == ["open"]
    texts = json.dumps(documents)
    secrets = {sent.token.secret, sent.token.verifier, script.token[-20:]}
    secrets |= set(ApiKey.objects.values_list("verifier", flat=True))
    assert not [secret for secret in secrets if secret in texts]


def test_a_policy__is_read_where_there_is_one(guarded: Environment, staging: Environment) -> None:
    response = Script(issue(guarded)).get(f"{PRODUCTION}/policy")
    document = answer(response)
    assert response["ETag"] == f'"{document["version"]}"'
    assert document["required_approvals"] >= 1
    problem(Script(issue(staging)).get(f"{PROJECT}/environments/staging/policy"), 404)


def test_a_comment__of_a_key__is_there_for_people(script: Script, asked: ChangeRequest) -> None:
    address = f"{PROJECT}/change-requests/{asked.pk}/comments"
    said = answer(script.post(address, {"text": "All tests are green."}), 201)
    assert said["author"].startswith("Pipeline (")
    assert answer(script.get(address)) == {"comments": [said], "next": None}
    for body, path in (({"text": " "}, "text"), ({"text": 1}, "text"), ({"by": "x"}, "by")):
        refused = problem(script.post(address, body), 400)
        assert path in [error["path"] for error in refused["errors"]]


def test_a_key_of_one_environment__sees_the_keys_of_that_one(
    script: Script, production: Environment, staging: Environment, now: datetime
) -> None:
    other, elsewhere = (
        services.issue_key(
            environment=place, kind="client", name="Page", intent=Intent(SETTING_UP, at=now)
        ).key
        for place in (production, staging)
    )
    (found,) = answer(script.get(f"{PROJECT}/keys?kind=client"))["keys"]
    assert found == answer(script.get(f"{PROJECT}/keys/{other.selector}"))
    assert (found["environment"], found["selector"]) == ("production", other.selector)
    problem(script.get(f"{PROJECT}/keys/{elsewhere.selector}"), 404)
    problem(script.get(f"{PROJECT}/keys?kind=golden"), 400)
    problem(script.get(f"{PROJECT}/keys/nothing"), 404)
