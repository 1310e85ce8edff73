"""Services, their setups and artefacts, through the management API."""

from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from portal.access.models import Environment, Project, User
from portal.approvals.models import ChangeRequest
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict, Invalid
from portal.lib.journal import Intent
from releases.catalogue import services
from releases.catalogue.models import Service, ServiceSetup
from tests.releases.api.asking import paths, put
from tests.support.agreeing import vote
from tests.support.people import SETTING_UP
from tests.support.releasing import BY_FLAG, DIGEST, ERRORS, a_route, a_service, a_setup
from tests.support.script import PROJECT, Script, answer, issue, problem

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
SERVICE = f"{PROJECT}/services/checkout"
SETUP = f"{SERVICE}/environments/production"
GUIDE = {
    "triggers": {
        "error_rate": {"threshold": "5%", "window": "5m"},
        "response_time": {"p95_threshold": "2000ms", "window": "5m"},
        "health_check_failures": {"threshold": 3, "window": "2m"},
    },
    "rollback_strategy": "immediate",
    "notification_channels": ["slack", "email", "pagerduty"],
}


def test_a_service__is_made_changed_listed_and_told_of(script: Script, dana: User) -> None:
    made = answer(put(script, SERVICE, {"key": "checkout", "name": "Checkout", "owners": ["dana"]}))
    assert made == answer(script.get(SERVICE))
    assert (made["key"], made["name"], made["owners"]) == ("checkout", "Checkout", ["dana"])
    assert answer(put(script, SERVICE, {"name": "Checkout", "owners": ["dana"]})) == made
    edited = answer(put(script, SERVICE, {"name": "Till"}))
    assert (edited["name"], edited["owners"]) == ("Till", [])
    assert edited.pop("metrics_warnings") == []
    assert answer(script.get(f"{PROJECT}/services"))["services"] == [edited]
    rows = AuditEvent.objects.filter(subject_kind="service").order_by("sequence")
    assert [row.event for row in rows] == ["service.created", "service.edited"]
    assert states.find_drifts() == []
    Service.objects.update(name="Somebody's")
    assert [str(one.key) for one in states.find_drifts()] == ["service checkout in shop"]


def test_a_service__that_is_wrong__is_refused_with_each_reason(script: Script, dana: User) -> None:
    for body, wrong in (
        ({"key": "other"}, ["key"]),
        ({"owners": ["dana", "nobody-we-know"]}, ["owners[1]"]),
        ({"owners": ["dana", "dana"]}, ["owners"]),
        ({"owners": [f"u{n}" for n in range(21)]}, ["owners"]),
        ({"name": " Till"}, ["name"]),
        ({"team": "x"}, ["team"]),
    ):
        assert paths(problem(put(script, SERVICE, body), 400)) == wrong
    assert paths(problem(put(script, f"{PROJECT}/services/Check_Out", {}), 400)) == ["key"]
    problem(script.get(SERVICE), 404)


def test_services__more_than_a_project_may_have__are_refused(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_SERVICES", 1)
    answer(put(script, SERVICE, {}))
    refused = problem(put(script, f"{PROJECT}/services/search", {}), 400)
    assert refused["detail"] == "A project has at most 1 services."
    answer(put(script, SERVICE, {"name": "Till"}))


def test_a_setup__is_kept_as_it_is_read_and_versioned(script: Script, shop: Project) -> None:
    a_service(shop)
    a_route(shop)
    problem(script.get(SETUP), 404)
    body = {"router": BY_FLAG, "checks": [ERRORS], "rollback_config": GUIDE}
    response = put(script, SETUP, body)
    made = answer(response)
    assert response["ETag"] == '"1"'
    assert (made["router"], made["rollback_config"], made["deployer"]) == (BY_FLAG, GUIDE, {})
    assert made["checks"][0] | ERRORS == made["checks"][0]
    assert made["checks"][0]["minimum_requests"] == 100
    assert answer(put(script, SETUP, body)) == answer(script.get(SETUP)) == made
    stale = problem(put(script, SETUP, {"router": {"kind": "manual"}}, if_match='"0"'), 409)
    assert stale["current"]["version"] == 1
    changed = put(script, SETUP, {"router": {"kind": "manual"}}, if_match='"1"')
    assert changed["ETag"] == '"2"'
    first, second = AuditEvent.objects.filter(event="service.setup_changed").order_by("sequence")
    assert (first.environment, first.subject, first.before_document) == (
        "production",
        "checkout",
        {},
    )
    assert second.before_document == first.after_document
    assert states.find_drifts() == []


@pytest.mark.parametrize(
    ("document", "path", "sentence"),
    [
        ({}, "router", "Add this field"),
        ({"router": {"kind": "envoy"}}, "router.kind", "There is no kind of router 'envoy'"),
        ({"router": {"kind": "webhook", "url": "ftp://ci.example"}}, "router.url", "must start"),
        (
            {"router": {"kind": "webhook", "url": "https://a:b@ci.example"}},
            "router.url",
            "password",
        ),
        ({"router": BY_FLAG | {"flag": "nothing"}}, "router.flag", "no such flag"),
        ({"router": BY_FLAG | {"variants": ["blue", "red"]}}, "router.variants[1]", "variant red"),
        ({"router": BY_FLAG | {"variants": ["blue", "blue"]}}, "router.variants", "once"),
        ({"router": BY_FLAG | {"baseline": "blue"}}, "router.baseline", "of its own"),
        ({"router": BY_FLAG, "deployer": {"kind": "ssh"}}, "deployer.kind", "kind of deployer"),
        ({"router": BY_FLAG, "checks": [ERRORS, ERRORS]}, "checks[1].key", "this key already"),
        (
            {"router": BY_FLAG, "checks": [ERRORS | {"threshold": -1}]},
            "checks[0].threshold",
            "from 0 to 100",
        ),
        (
            {
                "router": BY_FLAG,
                "checks": [ERRORS | {"key": "error_rate"}],
                "rollback_config": GUIDE,
            },
            "checks[0].key",
            "this key already",
        ),
        (
            {
                "router": BY_FLAG,
                "checks": [{"key": "up", "kind": "http", "threshold": 3, "url": "http://a b"}],
            },
            "checks[0].url",
            "plain ASCII",
        ),
        (
            {"router": BY_FLAG, "rollback_config": {"triggers": {"cpu": {}}}},
            "rollback_config.triggers.cpu",
            "unknown field cpu",
        ),
    ],
)
def test_a_setup__that_is_wrong__is_refused_with_its_reason(
    script: Script, shop: Project, document: dict[str, Any], path: str, sentence: str
) -> None:
    a_service(shop)
    a_route(shop)
    refused = problem(put(script, SETUP, document), 400)
    (one,) = refused["errors"]
    assert one["path"] == path
    assert sentence in one["message"]
    assert not ServiceSetup.objects.exists()


def test_a_setup__by_a_flag_that_is_not_introduced_or_routes_another__is_refused(
    script: Script, shop: Project, production: Environment
) -> None:
    flag = a_route(shop)
    a_service(shop)
    other = a_setup(a_service(shop, "search"), production, router=BY_FLAG)
    (one,) = problem(put(script, SETUP, {"router": BY_FLAG}), 400)["errors"]
    assert one["message"].startswith("search is routed by this flag already.")
    other.delete()
    flag.configurations.filter(environment=production).update(introduced=False)
    (one,) = problem(put(script, SETUP, {"router": BY_FLAG}), 400)["errors"]
    assert one["message"].startswith("shop-route is not introduced in Production yet.")


def test_a_setup__where_people_have_to_agree__waits_and_is_then_applied(
    shop: Project, guarded: Environment, erin: User, frank: User, alice: User
) -> None:
    a_service(shop)
    script = Script(issue(guarded, owner=alice))
    body = {"router": {"kind": "webhook", "url": "https://ci.example/route"}, "checks": [ERRORS]}
    waits = problem(put(script, SETUP, body), 409)
    assert not ServiceSetup.objects.exists()
    request = ChangeRequest.objects.get(pk=waits["change_request"]["id"])
    assert request.words == [
        "Route traffic by a webhook: https://ci.example/route",
        "Check errors: roll back the release if the error rate exceeds 5 % over 5 min.",
    ]
    assert request.artefact == ""
    for person in (erin, frank):
        vote(request, person)
    assert answer(script.get(SETUP))["router"] == body["router"]


def test_a_key__of_another_environment_or_a_stranger__sets_nothing_up(
    elsewhere: Script, shop: Project, production: Environment
) -> None:
    a_setup(a_service(shop), production)
    problem(elsewhere.get(SETUP), 403)
    problem(put(elsewhere, SETUP, {"router": {"kind": "manual"}}), 403)
    problem(elsewhere.get(f"{PROJECT}/services/nothing/artefacts"), 404)
    assert answer(put(elsewhere, f"{PROJECT}/services/search", {}))["key"] == "search"


def test_an_artefact__is_recorded_once_and_never_with_another_digest(
    script: Script, shop: Project
) -> None:
    service = a_service(shop)
    document = {
        "version": "1.4.2",
        "digest": DIGEST,
        "commit": "9f86d08",
        "built_at": "2026-11-30T10:00:00+01:00",
        "links": {"build": "https://ci.example/7"},
    }
    with transaction.atomic():
        made = services.artefact_of(service=service, document=document, intent=Intent(SETTING_UP))
        again = services.artefact_of(
            service=service,
            document={"version": "1.4.2", "digest": DIGEST},
            intent=Intent(SETTING_UP),
        )
    assert made == again
    (found,) = answer(script.get(f"{SERVICE}/artefacts"))["artefacts"]
    assert found["kind"] == "image"
    assert found["links"] == document["links"]
    with pytest.raises(Conflict, match=r"1.4.2 of checkout has the digest sha256:aaa"):
        services.artefact_of(
            service=service,
            document=document | {"digest": DIGEST.replace("aa", "bb")},
            intent=Intent(SETTING_UP),
        )
    assert states.find_drifts() == []


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"version": "1 4"}, "version"),
        ({"version": ""}, "version"),
        ({"digest": "latest"}, "digest"),
        ({"digest": "sha256:zz"}, "digest"),
        ({"digest": DIGEST.upper().replace("SHA", "sha")}, "digest"),
        ({"digest": "sha512:" + "a" * 64}, "digest"),
        ({"digest": "md5:" + "a" * 32}, "digest"),
        ({"digest": "sha1:" + "a" * 41, "kind": "package"}, "digest"),
        ({"version": "Stable"}, "version"),
        ({"version": "baseline"}, "version"),
        ({"kind": "Image!"}, "kind"),
        ({"built_at": "yesterday"}, "built_at"),
        ({"links": {"build": "javascript:alert(1)"}}, "links.build"),
        ({"links": {str(n): "https://ci.example" for n in range(11)}}, "links"),
        ({"size": 1}, "size"),
    ],
)
def test_an_artefact__that_is_wrong__is_refused_with_its_reason(
    shop: Project, change: dict[str, Any], path: str
) -> None:
    document = {"version": "1.4.2", "digest": DIGEST} | change
    with pytest.raises(Invalid) as refused:
        services.artefact_of(service=a_service(shop), document=document, intent=Intent(SETTING_UP))
    assert [*refused.value.problems] == [path]


def test_the_request_for_a_setup__leads_to_the_service(
    guarded: Environment, shop: Project, alice: User, alice_client: Client
) -> None:
    a_service(shop)
    script = Script(issue(guarded, owner=alice))
    waits = problem(put(script, SETUP, {"router": {"kind": "manual"}}), 409)
    page = alice_client.get(f"/p/shop/changes/{waits['change_request']['id']}").content.decode()
    assert "A person routes traffic and confirms it." in page
    assert 'href="/p/shop/service/checkout/"' in page
