"""Services on the pages, how each is set up, and the story of a release for who has to prove it."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from portal.access.models import Environment, Project, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from portal.approvals.services import apply_request
from portal.lib.journal import Intent
from releases.catalogue.models import Service, ServiceSetup
from releases.core import commands
from releases.core.models import Release
from releases.routers.webhook import secret_for
from tests.releases.web.looking import plain, send, text, words
from tests.support.agreeing import TWO_ROLES, set_policy, vote, waiting
from tests.support.people import acting
from tests.support.releasing import (
    a_release,
    a_route,
    a_service,
    a_setup,
    fresh,
    outcomes,
    routed_by_flag,
    tick,
)
from tests.support.script import PROJECT, Script, answer, issue

pytestmark = pytest.mark.postgresql
SETUP = "/p/shop/service/checkout/setup/development"
GUIDE = """rollback_config:
  triggers:
    error_rate:
      threshold: 5%
      window: 5m
    response_time:
      p95_threshold: 2000ms
      window: 5m
    health_check_failures:
      threshold: 3
      window: 2m

  rollback_strategy: "immediate"  # or "gradual"
  notification_channels:
    - slack
    - email
    - pagerduty
"""
FORM = {
    "version": "0",
    "router.kind": "flag",
    "router.flag": "shop-route",
    "router.variants[0]": "blue",
    "router.variants[1]": "green",
    "router.baseline": "baseline",
    "router.bucket_by": "",
    "router.tester_url": "https://shop.example.com/?from=aviary#cart",
    "router.url": "",
    "checks[0].key": "probe",
    "checks[0].kind": "http",
    "checks[0].threshold": "3",
    "checks[0].role": "guardrail",
    "checks[0].window_s": "2",
    "checks[0].url": "https://shop.example.com/health",
    "rollback_config": GUIDE,
    "reason": "First setup",
}


@pytest.fixture
def checkout(shop: Project, development: Environment) -> Service:
    flag = a_route(shop)
    flag.configurations.update(introduced=True)
    return a_service(shop)


def stored() -> ServiceSetup:
    return ServiceSetup.objects.get()


def test_a_service__is_made_and_renamed_by_who_plans_releases(
    shop: Project, alice_client: Client, bob_client: Client
) -> None:
    fields = {"key": "search", "name": "Search", "owners": "alice, dana"}
    assert send(bob_client, "/p/shop/services/new", **fields).status_code == 403
    made = send(alice_client, "/p/shop/services/new", **fields)
    assert made.headers["HX-Redirect"] == "/p/shop/service/search/"
    page = text(alice_client, "/p/shop/service/search/")
    assert "Owners: alice, dana" in page
    assert "created the service" in page
    unknown = send(alice_client, "/p/shop/service/search/edit", name="Search", owners="nobody")
    assert "There is no user nobody." in plain(unknown, 422)
    listed = text(bob_client, "/p/shop/services/?text=sea")
    assert "Search" in listed
    assert "No service matches" in text(bob_client, "/p/shop/services/?text=zzz")


def test_checks_of_prometheus_and_alerts__are_set_up_by_the_form_and_come_back(
    checkout: Service, alice_client: Client
) -> None:
    query = 'sum(rate(errors_total{version="{{version}}"}[{{window}}]))'
    prometheus = {
        "checks[0].kind": "prometheus",
        "checks[0].url": "http://prometheus:9090",
        "checks[0].query": query,
        "checks[0].threshold": "0,5",
        "checks[0].window_s": "1",
        "checks[1].key": "alerts",
        "checks[1].kind": "alerts",
        "checks[1].threshold": "2",
        "checks[1].matchers": "service={{service}}, severity=critical",
        "checks[1].role": "signal",
    }
    wrong = plain(
        send(alice_client, SETUP, **FORM | prometheus | {"checks[0].query": "x{{y}}"}), 422
    )
    assert "There is no placeholder “{{y}}”" in wrong
    assert send(alice_client, SETUP, **FORM | prometheus).headers["HX-Redirect"]
    first, second = stored().checks
    assert (first["query"], first["threshold"], first["window_s"]) == (query, 0.5, 60)
    assert second["matchers"] == {"service": "{{service}}", "severity": "critical"}
    assert (second["threshold"], second["role"]) == (2, "signal")
    form = alice_client.get(SETUP).content.decode()
    assert f'value="{escape(query)}"' in form
    assert 'value="service={{service}}, severity=critical"' in form
    page = text(alice_client, "/p/shop/service/checkout/")
    assert f"the max that Prometheus at http://prometheus:9090 gives for “{query}”" in page
    assert "2 alerts with service={{service}}, severity=critical fire" in page


def test_a_setup__with_the_guides_block__is_saved_and_comes_back_as_it_was(
    checkout: Service, alice_client: Client
) -> None:
    saved = send(alice_client, SETUP, **FORM)
    assert saved.headers["HX-Redirect"] == "/p/shop/service/checkout/"
    setup = stored()
    assert setup.router["variants"] == ["blue", "green"]
    assert setup.checks[0]["window_s"] == 120
    assert setup.rollback_config["triggers"]["error_rate"] == {"threshold": "5%", "window": "5m"}
    page = text(alice_client, "/p/shop/service/checkout/")
    assert "Route traffic by the flag shop-route, between blue and green." in page
    form = alice_client.get(SETUP).content.decode()
    assert 'name="router.variants[1]" value="green"' in " ".join(form.split())
    again = FORM | {"version": "1", "rollback_config": ""}
    again["checks[0].rest"] = '{"kind": "http", "period_s": 30}'
    send(alice_client, SETUP, **again)
    assert (stored().rollback_config, stored().checks[0]["period_s"]) == ({}, 30)


def test_pinned_visits__are_asked_for_in_minutes_and_said_in_words(
    checkout: Service, alice_client: Client
) -> None:
    refused = send(alice_client, SETUP, **FORM | {"router.pin_s": "0.5"})
    assert "Give a whole number from 60 to 86400" in plain(refused, 422)
    send(alice_client, SETUP, **FORM | {"router.pin_s": "30"})
    assert stored().router["pin_s"] == 1800
    page = text(alice_client, "/p/shop/service/checkout/")
    assert "A visit that began on the stable version keeps it for 1800 s." in page
    form = " ".join(alice_client.get(SETUP).content.decode().split())
    assert 'name="router.pin_s" value="30"' in form


def test_the_address_for_testers__becomes_a_link_of_the_release_while_it_moves(
    production: Environment, alice: User, bob_client: Client
) -> None:
    service = routed_by_flag(production)
    page = f"/p/shop/releases/{a_release(service, production, alice).pk}/"
    assert "A user with this attribute in the evaluation context" in text(bob_client, page)
    router = service.setups.get().router | {"tester_url": FORM["router.tester_url"]}
    a_setup(service, production, router=router)
    commands.rollback(release=Release.objects.get(), intent=Intent(acting(alice)))
    release = a_release(service, production, alice, version="2.1")
    page = f"/p/shop/releases/{release.pk}/"
    link = f"https://shop.example.com/?from=aviary&aviary_tester={release.router['tester']}#cart"
    assert f"until the release ends: {link} Copy the link" in text(bob_client, page)
    script = Script(issue(production))
    address = f"{PROJECT}/releases/{release.pk}"
    assert answer(script.get(address))["links"]["tester"] == link
    commands.rollback(release=release, intent=Intent(acting(alice)))
    assert "aviary_tester" not in text(bob_client, page)
    assert "tester" not in answer(script.get(address))["links"]


def test_a_setup__that_somebody_changed_meanwhile__conflicts_and_keeps_the_form(
    checkout: Service, alice_client: Client
) -> None:
    send(alice_client, SETUP, **FORM)
    late = send(alice_client, SETUP, **FORM | {"checks[0].threshold": "9"})
    assert "changed how this is released in Development meanwhile" in plain(late, 409)
    assert 'value="9"' in late.content.decode()
    assert stored().checks[0]["threshold"] == 3


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("router.flag", "unknown", "There is no such flag"),
        ("router.variants[1]", "red", "has no variant red"),
        ("router.tester_url", "http://shop.example.com/", "starts with https://"),
        ("router.kind", "carrier-pigeon", "kind of router"),
        ("checks[0].threshold", "NaN", "number"),
        ("checks[0].url", "gopher://shop", "address"),
        ("checks[0].kind", "astrology", "kind of check"),
        ("rollback_config", "triggers: [", "neither JSON nor YAML"),
        ("rollback_config", "triggers: {error_rate: {threshold: 500%, window: 5m}}", "percentage"),
    ],
)
def test_a_bad_setup__is_refused_with_a_sentence_and_not_lost(
    checkout: Service, alice_client: Client, field: str, value: str, sentence: str
) -> None:
    refused = send(alice_client, SETUP, **FORM | {field: value})
    page = plain(refused, 422)
    assert "Nothing was saved yet." in page
    assert sentence in page
    assert not ServiceSetup.objects.exists()


def test_a_setup__that_waits_for_approval__is_edited_in_its_form(
    checkout: Service, production: Environment, alice_client: Client, erin: User
) -> None:
    set_policy(production, **TWO_ROLES)
    where = SETUP.replace("development", "production")
    send(alice_client, where, **FORM)
    asked = ChangeRequest.objects.get(kind="service.setup")
    vote(asked, erin)
    page = reverse("change-request", args=["shop", asked.pk])
    assert f'href="{where}?request={asked.pk}"' in alice_client.get(page).content.decode()
    form = alice_client.get(f"{where}?request={asked.pk}").content.decode()
    assert f"You are editing change request {asked.pk}." in words(form)
    assert 'value="baseline"' in form
    # The request of one environment is nothing that another one's form edits.
    assert "You are editing" not in text(alice_client, f"{SETUP}?request={asked.pk}")
    token = f"{asked.pk}.{asked.revision}"
    fields = FORM | {"router.baseline": "", "revise": token}
    assert send(alice_client, where, **fields).status_code == 204
    asked.refresh_from_db()
    assert "baseline" not in asked.after["router"]
    assert asked.votes.count() == 0
    assert ChangeRequest.objects.filter(kind="service.setup").count() == 1


def test_a_setup__of_a_viewer__may_be_read_and_not_saved(
    checkout: Service, bob_client: Client
) -> None:
    assert "This needs the permission “deploy releases”" in text(bob_client, SETUP)
    assert send(bob_client, SETUP, **FORM).status_code == 403


def test_the_secret_of_a_webhook__is_shown_to_who_may_deploy_alone(
    checkout: Service, alice_client: Client, dana_client: Client
) -> None:
    secret = secret_for("shop", "checkout", "development")
    assert secret in text(alice_client, SETUP)
    assert secret not in text(dana_client, SETUP)


def test_the_form_of_a_setup__gains_and_loses_checks_without_saving(
    checkout: Service, alice_client: Client
) -> None:
    more = send(alice_client, SETUP, **FORM, do="add-check").content.decode()
    assert 'name="checks[1].key" value="check-2"' in " ".join(more.split())
    less = send(alice_client, SETUP, **FORM, do="remove-check:0").content.decode()
    assert "checks[0]" not in less
    assert not ServiceSetup.objects.exists()


def agreed_and_taken_back(production: Environment, alice: User, erin: User, frank: User) -> Release:
    service = routed_by_flag(production)
    set_policy(production, **TWO_ROLES)
    release = a_release(service, production, alice, start=False)
    with pytest.raises(Waiting) as error:
        commands.start(release=release, intent=Intent(acting(alice), "Faster search"))
    asked = waiting(error)
    vote(asked, erin, comment="I read it")
    vote(asked, frank)
    asked.refresh_from_db()
    if asked.state == "open":
        apply_request(request=asked, intent=Intent(acting(alice)))
    outcomes(release, 200, errors=30)
    return tick(fresh(release))


def test_the_story__of_a_release_taken_back__proves_who_agreed_and_with_which_numbers(
    production: Environment, alice: User, erin: User, frank: User, bob_client: Client
) -> None:
    release = agreed_and_taken_back(production, alice, erin, frank)
    assert release.state == "rolled_back"
    page = text(bob_client, f"/p/shop/releases/{release.pk}/story")
    assert "Rolled back by the check “errors”: 15 % errors, 30 of 200." in page
    assert "erin" in page[page.index("Approvals") :]
    assert "roles at that time: senior developer" in page
    assert "“I read it”" in page
    assert release.artefact is not None
    assert release.artefact.digest in page
    assert "1 time, 1 failed" in page
    html = bob_client.get(f"/p/shop/releases/{release.pk}/story").content.decode()
    assert "Being rolled back by the check “errors”: 15 % errors, 30 of 200." in page
    for event in ("planned release", "started release", "rolled back release"):
        assert event in page
    assert html.count("/p/shop/history/") >= 4
