"""What compares, as people see it: in words, as a chart with its table, and in the form."""

import pytest
from django.test import Client

from portal.access.models import Environment, User
from releases.catalogue.models import ServiceSetup
from releases.core.models import Release
from tests.releases.web.looking import plain, send, text
from tests.support.releasing import a_release, a_service, a_setup, routed_by_flag, serve

WORSE = {"key": "worse", "kind": "error_comparison"}
SETUP = "/p/shop/service/checkout/setup/production"
PLAN = {"steps": [{"share": 5, "soak_s": 3600}, {"share": 100}], "proof_of_return": False}
ROW = {
    "key": "slow",
    "kind": "latency_comparison",
    "threshold": "500",
    "role": "guardrail",
    "minimum_requests": "200",
}


@pytest.fixture
def canary(production: Environment, alice: User) -> Release:
    service = routed_by_flag(production, checks=(WORSE,))
    return a_release(service, production, alice, plan=PLAN)


def page_of(release: Release, more: str = "") -> str:
    return f"/p/shop/releases/{release.pk}/{more}"


def test_the_difference__is_a_chart_with_its_bound_and_the_zero_line(
    canary: Release, bob_client: Client
) -> None:
    for _look in range(3):
        serve(canary, *[((200, 3), (200, 2))] * 6)
    found = bob_client.get(page_of(canary, "measured")).json()
    chart = found["charts"][-1]
    assert (
        chart["title"] == "Difference to the baseline: worse (error rate not above the baseline's)"
    )
    assert (chart["unit"], len(chart["times"])) == ("points", 3)
    assert [one["name"] for one in chart["lines"]] == ["difference", "at least (one-sided bound)"]
    differences, bounds = chart["series"]
    assert differences == [0.5, 0.5, 0.5]
    assert bounds == sorted(bounds)  # the more is known, the nearer
    assert all(bound < 0 for bound in bounds)
    assert chart["thresholds"] == [{"label": "no difference", "value": 0}]


def test_the_page__says_the_numbers_and_how_much_is_missing(
    canary: Release, bob_client: Client
) -> None:
    serve(canary, *[((200, 3), (200, 2))] * 3)
    page = text(bob_client, page_of(canary))
    assert "new version +0.5 points (at least -" in page
    assert "600 against 600 requests; evidence" in page
    assert "not worse as far as is known. Twice as many errors would be found within about" in page
    assert "not equivalent" not in page
    assert "new version +0.5 points" in text(bob_client, page_of(canary, "story"))


def test_without_a_baseline__the_page_says_that_it_can_only_hold(
    production: Environment, alice: User, bob_client: Client
) -> None:
    service = a_service(production.project)
    a_setup(service, production, checks=[WORSE])
    release = a_release(service, production, alice, plan=PLAN)
    page = text(bob_client, page_of(release))
    assert "can hold · compared with stable, which is not equivalent: so it can only hold" in page


def test_a_comparison__is_set_up_by_the_form_and_comes_back(
    production: Environment, alice_client: Client
) -> None:
    service = a_service(production.project)
    form = {f"checks[0].{name}": value for name, value in ROW.items()}
    form |= {"version": "0", "router.kind": "manual", "rollback_config": "", "reason": "Guarded"}
    send(alice_client, SETUP, **form)
    (stored,) = ServiceSetup.objects.get(service=service).checks
    assert (stored["slower_than_ms"], stored["minimum_requests"]) == (500, 200)
    assert "threshold" not in stored
    shown = alice_client.get(SETUP).content.decode()
    assert 'name="checks[0].threshold" value="500"' in " ".join(shown.split())
    assert "more of its requests than of the baseline's are slower than 500 ms" in text(
        alice_client, "/p/shop/service/checkout/"
    )
    wrong = send(alice_client, SETUP, **form | {"version": "1", "checks[0].threshold": "0"})
    assert plain(wrong, 422).count("Give a number above 0.") == 1
