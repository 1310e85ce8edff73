"""Release policies and plan templates on the pages: made, chosen, required, and said why."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.access.models import Environment, User
from portal.approvals.models import ChangeRequest
from releases.catalogue.models import Service
from releases.core.models import Release
from releases.policies.models import PlanTemplate, ReleasePolicy
from tests.flags.targeting.forms import sent
from tests.releases.web.looking import plain, send, text, words
from tests.releases.web.test_planning import FORM as RELEASE, NEW, PREVIEW
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.releasing import (
    ERRORS,
    a_policy,
    a_release,
    a_template,
    outcomes,
    routed_by_flag,
    tick,
)

pytestmark = pytest.mark.postgresql
POLICIES, TEMPLATES = "/p/shop/releases/policies/", "/p/shop/releases/templates/"
FORM: dict[str, Any] = {
    "version": "0",
    "key": "strict",
    "name": "Strict",
    "environments": ["production"],
    "services": ["checkout"],
    "tags": "payments, money",
    "checks[0].key": "errors",
    "checks[0].kind": "error_rate",
    "checks[0].threshold": "1",
    "checks[0].role": "guardrail",
    "reason": "We lost orders",
}
TEMPLATE = {
    "template_key": "slow",
    "template_name": "Slow",
    "strategy": "canary",
    "steps[0].share": "2",
    "steps[0].soak_s": "30",
    "steps[1].share": "100",
    "proof_of_return": "0",
}


@pytest.fixture
def service(production: Environment) -> Service:
    return routed_by_flag(production)


def test_a_policy__is_made_listed_changed_and_deleted(
    service: Service, alice_client: Client, bob_client: Client
) -> None:
    a_template(service.project)
    made = send(alice_client, f"{POLICIES}new", **FORM, templates=["careful"])
    assert made.headers["HX-Redirect"] == POLICIES
    policy = ReleasePolicy.objects.get()
    assert (policy.environments, policy.tags) == (["production"], ["money", "payments"])
    page = text(bob_client, POLICIES)
    assert "the service checkout and flags with the tags money, payments, in production." in page
    assert "Its plan has to be one of the templates: careful." in page
    assert "checked" in bob_client.get(f"{POLICIES}strict/").content.decode()
    taken = send(alice_client, f"{POLICIES}new", **FORM)
    assert "There is a release policy with this key already" in plain(taken, 422)
    late = send(alice_client, f"{POLICIES}strict/", **FORM | {"version": "7"})
    assert "changed this policy meanwhile" in plain(late, 409)
    send(alice_client, f"{POLICIES}strict/", **FORM | {"version": "1", "tags": "", "templates": []})
    assert (ReleasePolicy.objects.get().tags, ReleasePolicy.objects.get().templates) == ([], [])
    assert "Delete Strict" in text(alice_client, f"{POLICIES}strict/delete")
    send(alice_client, f"{POLICIES}strict/delete", reason="No longer")
    assert "No release policies yet" in text(bob_client, POLICIES)
    history = text(alice_client, "/p/shop/history/")
    assert "deleted the release policy" in history


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("environments", ["moon"], "There is no environment moon."),
        ("services", ["nothing"], "There is no service nothing."),
        ("templates", ["nothing"], "There is no plan template nothing."),
        ("checks[0].threshold", "NaN", "number"),
        ("checks[0].kind", "tarot", "kind of check"),
        ("key", "A b", "Lower-case letters"),
        ("name", "", "characters"),
    ],
)
def test_a_bad_policy__is_refused_with_a_sentence_and_not_lost(
    service: Service, alice_client: Client, field: str, value: Any, sentence: str
) -> None:
    refused = send(alice_client, f"{POLICIES}new", **FORM | {field: value})
    page = plain(refused, 422)
    assert "Nothing was saved yet." in page
    assert sentence.lower() in page.lower()
    assert 'value="payments, money"' in refused.content.decode()
    assert not ReleasePolicy.objects.exists()


def test_a_policy__is_set_by_who_configures_where_it_holds_with_the_approval_that_takes(
    service: Service, production: Environment, alice_client: Client, bob_client: Client
) -> None:
    assert "This needs the permission “configure environments”" in text(bob_client, POLICIES)
    assert send(bob_client, f"{POLICIES}new", **FORM).status_code == 403
    set_policy(production, **TWO_ROLES)
    page = text(alice_client, f"{POLICIES}new?", 200)
    assert "Send for approval" in page
    asked = send(alice_client, f"{POLICIES}new", **FORM)
    request = text(bob_client, asked.headers["HX-Redirect"])
    assert "Check errors: roll back the release if the error rate exceeds 1 %" in request
    assert not ReleasePolicy.objects.exists()
    assert "Change the release policy Strict" in text(bob_client, POLICIES)
    elsewhere = send(alice_client, f"{POLICIES}new", **FORM | {"environments": ["staging"]}, do="x")
    assert "Send for approval" not in plain(elsewhere)


def test_a_template__is_made_edited_and_deleted_by_page(
    service: Service, alice_client: Client, bob_client: Client
) -> None:
    assert send(bob_client, f"{TEMPLATES}new", **TEMPLATE).status_code == 403
    made = send(alice_client, f"{TEMPLATES}new", **TEMPLATE)
    assert made.headers["HX-Redirect"] == TEMPLATES
    plan = PlanTemplate.objects.get().plan
    assert (plan["steps"][0], plan["strategy"]) == (
        {"share": 2, "soak_s": 1800, "gate": False},
        "canary",
    )
    assert "Canary: 2 %, 100 %." in text(bob_client, TEMPLATES)
    again = send(alice_client, f"{TEMPLATES}new", **TEMPLATE)
    assert "There is a plan template with this key already" in plain(again, 422)
    bad = send(alice_client, f"{TEMPLATES}slow/", **TEMPLATE | {"steps[0].share": "none"})
    assert 'value="none"' in bad.content.decode()
    more = send(alice_client, f"{TEMPLATES}slow/", **TEMPLATE, do="add-step").content.decode()
    assert 'name="steps[2].share"' in more
    send(alice_client, f"{TEMPLATES}slow/", **TEMPLATE | {"steps[0].gate": "1"})
    assert PlanTemplate.objects.get().plan["steps"][0]["gate"]
    policy = a_policy(service.project, templates=["slow"])
    assert policy.name in text(bob_client, TEMPLATES)
    kept = send(alice_client, f"{TEMPLATES}slow/delete")
    assert "requires this template as it is" in plain(kept, 422)
    policy.delete()
    send(alice_client, f"{TEMPLATES}slow/delete")
    assert "No plan templates yet" in text(bob_client, TEMPLATES)


def test_the_plan_of_a_new_release__is_kept_as_a_template_and_chosen(
    service: Service, alice_client: Client
) -> None:
    names = {"template_key": "ours", "template_name": "Ours"}
    page = send(alice_client, NEW, **RELEASE | names, do="keep")
    assert "Saved the plan template Ours." in plain(page)
    kept = PlanTemplate.objects.get()
    assert (kept.plan["steps"][0]["gate"], kept.plan["proof_of_return"]) == (True, True)
    assert '<option value="ours" selected>' in page.content.decode()
    refused = send(alice_client, NEW, **RELEASE | names, do="keep")
    assert "There is a plan template with this key already" in plain(refused, 422)
    assert not Release.objects.exists()


def test_a_required_template__chosen_on_the_page__passes_and_a_changed_plan_is_refused(
    service: Service, alice: User, alice_client: Client
) -> None:
    plan = {
        "strategy": "canary",
        "steps": [{"share": 12.345, "soak_s": 7, "gate": True}, {"share": 100}],
        "cohorts": [],
        "return_strategy": "gradual",
        "proof_of_return": True,
        "checks": [{"key": "slow", "kind": "latency", "threshold": 812.5, "window_s": 10}],
    }
    template = a_template(service.project, "exact", plan)
    a_policy(service.project, "strict", templates=["exact"])
    said = "The release policy “strict” wants a plan by one of these templates"
    assert said in plain(send(alice_client, NEW, **RELEASE), 422)
    assert f"Template: {said}" in plain(send(alice_client, PREVIEW, **RELEASE))
    filled = send(alice_client, NEW, **RELEASE | {"template": "exact"}, do="template")
    form = dict(sent(filled.content.decode()))
    preview = plain(send(alice_client, PREVIEW, **form))
    assert "slow : p95 at most 812.5 ms over 10 s (of this release)" in preview
    assert "strict : It applies to every release. Its plan has to be one of" in preview
    form |= {"typed": "production"}
    changed = send(alice_client, NEW, **form | {"steps[0].gate": ""})
    assert said in plain(changed, 422)
    assert send(alice_client, NEW, **form).status_code == 204
    release = Release.objects.get()
    assert (release.template, release.plan["steps"]) == ("exact", template.plan["steps"])


def test_the_preview__names_the_policy_of_a_check_and_links_it(
    service: Service, alice_client: Client
) -> None:
    a_policy(service.project, "usual")
    a_policy(service.project, "strict", services=["checkout"])
    answer = send(alice_client, PREVIEW, **RELEASE)
    page = plain(answer)
    assert "errors : error rate at most 5 % over 5 min ( from the release policy strict )" in page
    assert "strict : It names the service checkout." in page
    assert "The check “errors” of the release policy “strict” is used instead." in page
    assert f'href="{POLICIES}strict/"' in answer.content.decode()


def test_a_request_about_a_policy__is_edited_in_its_form__before_there_is_one_too(
    service: Service, production: Environment, alice: User, alice_client: Client
) -> None:
    a_policy(service.project, "usual")
    set_policy(production, **TWO_ROLES)
    send(alice_client, f"{POLICIES}new", **FORM)
    new = ChangeRequest.objects.get(kind="release_policy")
    assert alice_client.get(f"{POLICIES}strict/").status_code == 404
    where = f"{POLICIES}strict/?request={new.pk}"
    request = alice_client.get(reverse("change-request", args=["shop", new.pk])).content.decode()
    assert f'href="{where}"' in request
    page = alice_client.get(where).content.decode()
    assert f"You are editing change request {new.pk}." in page
    form = dict(sent(page)) | {"environments": ["production"], "services": ["checkout"]}
    assert form["checks[0].threshold"] == "1"
    more = send(alice_client, f"{POLICIES}strict/", **form, do="add-check")
    assert "checks[1].key" in more.content.decode()
    form |= {"checks[0].threshold": "2", "reason": "Milder"}
    assert send(alice_client, f"{POLICIES}strict/", **form).status_code == 204
    new.refresh_from_db()
    assert new.after["checks"][0]["threshold"] == 2
    assert ChangeRequest.objects.filter(kind="release_policy").count() == 1
    send(alice_client, f"{POLICIES}usual/delete", reason="No longer")
    gone = ChangeRequest.objects.get(subject="usual")
    assert "You are editing" not in text(alice_client, f"{POLICIES}usual/?request={gone.pk}")


def test_the_page_and_the_story__link_the_policy_and_the_template_while_those_are_there(
    service: Service, production: Environment, alice: User, bob_client: Client
) -> None:
    a_template(service.project)
    policy = a_policy(service.project, "strict", templates=["careful"], checks=[ERRORS])
    release = a_release(service, production, alice, template="careful", plan={})
    outcomes(tick(release), 200)
    tick(release)
    links = [
        f'href="{POLICIES}strict/">from the release policy strict</a>',
        f'href="{TEMPLATES}careful/">careful</a>',
    ]
    for page in ("", "story"):
        where = f"/p/shop/releases/{release.pk}/{page}"
        shown = bob_client.get(where).content.decode()
        assert all(link in shown for link in links), where
    policy.delete()
    PlanTemplate.objects.all().delete()
    shown = bob_client.get(f"/p/shop/releases/{release.pk}/").content.decode()
    assert not any(link in shown for link in links)
    assert "error rate at most 5 % over 5 min · can roll back · from the release policy" in words(
        shown
    ).replace("Error", "error")
    assert "Plan template careful" in words(shown)
