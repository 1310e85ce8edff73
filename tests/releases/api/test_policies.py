"""Release policies of scripts: what a key sets and sees, and what the preview says of them."""

from typing import Any

import pytest

from portal.access.models import Environment, Project, User
from portal.access.permissions import Permission
from portal.approvals.models import ChangeRequest
from releases.catalogue.models import Service
from releases.core.models import Release
from releases.policies.models import ReleasePolicy
from tests.releases.api.asking import RELEASES, paths, put, started
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.releasing import ERRORS, a_policy, a_template
from tests.support.script import PROJECT, Script, answer, issue, problem

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
POLICIES = f"{PROJECT}/release-policies"
STRICT = ERRORS | {"threshold": 1}
CONFIGURES = (Permission.ENVIRONMENT_CONFIGURE,)
WANTED = {"environments": ["production"], "services": ["checkout"], "checks": [STRICT]}


@pytest.fixture
def script(production: Environment, alice: User) -> Script:
    return Script(issue(production, owner=alice, rights=CONFIGURES))


@pytest.fixture
def elsewhere(staging: Environment) -> Script:
    return Script(issue(staging, rights=CONFIGURES))


def test_a_policy__is_set_seen_changed_at_its_version_and_deleted(
    script: Script, body: dict[str, Any]
) -> None:
    path = f"{POLICIES}/strict"
    kept = put(script, path, WANTED)
    document = answer(kept)
    assert (document["key"], document["name"], document["version"]) == ("strict", "strict", 1)
    assert document["checks"][0]["minimum_requests"] == 100
    assert answer(script.get(path)) == document
    assert answer(script.get(POLICIES))["release_policies"] == [document]
    problem(put(script, path, WANTED, If_Match='"7"'), 409)
    again = put(script, path, {**WANTED, "name": "Strict"}, If_Match=kept["ETag"])
    assert again["ETag"] == '"2"'
    release = started(script, body)
    assert release.origins == {"errors": "policy:strict"}
    told = answer(script.get(f"{RELEASES}/{release.pk}"))
    assert [(one["key"], one["from"]) for one in told["checks"]] == [("errors", "policy:strict")]
    assert script.call("DELETE", path, If_Match='"2"').status_code == 204
    problem(script.get(path), 404)


def test_a_policy_of_another_environment__is_neither_seen_nor_changed_by_a_key(
    elsewhere: Script, production: Environment, service: Service
) -> None:
    a_policy(production.project, "theirs", environments=["production"])
    a_policy(production.project, "everywhere")
    listed = answer(elsewhere.get(POLICIES))["release_policies"]
    assert [one["key"] for one in listed] == ["everywhere"]
    problem(elsewhere.get(f"{POLICIES}/theirs"), 404)
    problem(elsewhere.call("DELETE", f"{POLICIES}/theirs"), 404)
    for document in (WANTED, {"checks": [ERRORS]}):
        problem(put(elsewhere, f"{POLICIES}/theirs", document), 403)
        problem(put(elsewhere, f"{POLICIES}/mine", document), 403)
    seen = problem(put(elsewhere, f"{POLICIES}/theirs", WANTED, If_Match='"7"'), 403)
    assert "current" not in seen
    problem(elsewhere.call("DELETE", f"{POLICIES}/everywhere"), 403)
    answer(put(elsewhere, f"{POLICIES}/mine", {**WANTED, "environments": ["staging"]}))


def test_a_policy__where_others_have_to_agree__waits_and_says_where(
    script: Script, production: Environment, body: dict[str, Any]
) -> None:
    set_policy(production, **TWO_ROLES)
    refused = problem(put(script, f"{POLICIES}/strict", WANTED), 409)
    asked = ChangeRequest.objects.get(pk=refused["change_request"]["id"])
    assert asked.title == "Change the release policy strict"
    assert not ReleasePolicy.objects.exists()


@pytest.mark.parametrize(
    ("document", "path", "sentence"),
    [
        ({"environments": ["moon"]}, "environments[0]", "There is no environment moon."),
        ({"services": ["nothing"]}, "services[0]", "There is no service nothing."),
        ({"templates": ["nothing"]}, "templates[0]", "There is no plan template nothing."),
        ({"checks": [{"key": "x", "kind": "tarot"}]}, "checks[0].kind", "kind of check"),
        ({"checks": [ERRORS] * 10_000}, "checks", "30"),
        ({"checks": [ERRORS, ERRORS]}, "checks[1].key", "a key of its own"),
        ({"checks": [{"key": "x", "kind": "http", "threshold": 1, "url": "http://"}]},
         "checks[0].url", "address"),
        ({"checks": []}, "", "Attach a check, or require a template."),
        ({"environments": ["production", "production"]}, "environments", "once"),
        ({"tags": ["x" * 101]}, "tags[0]", "100"),
        ({"tags": [7]}, "tags[0]", "text"),
        ({"roles": []}, "roles", ""),
        ({"name": ""}, "name", ""),
    ],
)  # fmt: skip
def test_a_bad_policy__is_refused_with_one_sentence(
    script: Script, shop: Project, document: dict[str, Any], path: str, sentence: str
) -> None:
    refused = problem(put(script, f"{POLICIES}/bad", {**WANTED, "services": [], **document}), 400)
    assert paths(refused) == [path]
    assert sentence in refused["errors"][0]["message"]
    assert not ReleasePolicy.objects.exists()


def test_the_preview_and_the_advice__say_which_policy_won_what_and_why(
    script: Script, body: dict[str, Any], production: Environment
) -> None:
    shop = production.project
    a_template(shop)
    a_policy(shop, "usual", checks=[ERRORS], templates=["careful"])
    a_policy(shop, "strict", **WANTED)
    wanted = {name: body[name] for name in body if name not in ("reason", "plan")}
    refused = problem(script.post(f"{RELEASES}/preview", wanted), 400)
    assert paths(refused) == ["template"]
    found = answer(script.post(f"{RELEASES}/preview", wanted | {"template": "careful"}))
    assert found["template"] == "careful"
    assert found["policies"] == [
        {
            "key": "strict",
            "name": "strict",
            "why": "It names the service checkout and the environment production.",
            "checks": ["errors"],
            "templates": [],
            "overruled": [],
        },
        {
            "key": "usual",
            "name": "usual",
            "why": "It applies to every release.",
            "checks": [],
            "templates": ["careful"],
            "overruled": ["The check “errors” of the release policy “strict” is used instead."],
        },
    ]
    advice = f"{PROJECT}/release-advice"
    assert answer(script.get(f"{advice}?service=checkout"))["policies"] == found["policies"]
    assert [one["key"] for one in answer(script.get(advice))["policies"]] == ["usual"]
    problem(script.get(f"{advice}?flag=nothing"), 400)
    assert problem(script.post(RELEASES, wanted | {"reason": "x"}), 400)["errors"]
    assert not Release.objects.exists()


def test_a_template__that_a_policy_requires__is_kept_as_it_is(
    script: Script, production: Environment
) -> None:
    kept = a_template(production.project)
    a_policy(production.project, templates=["careful"])
    path = f"{PROJECT}/plan-templates/careful"
    problem(script.call("DELETE", path), 400)
    plan = {**kept.plan, "steps": [{"share": 100}]}
    assert "requires this template" in str(problem(put(script, path, {"plan": plan}), 400))
    assert answer(put(script, path, {"plan": kept.plan, "name": "Slow"}))["name"] == "Slow"
