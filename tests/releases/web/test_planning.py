"""The page of a new release: advice, plan, preview; then it starts, waits or is only planned."""

import re
from typing import Any

import pytest
from django.test import Client

from flags.models import Flag
from portal.access.models import Environment, Project, User
from portal.lib import clock
from releases.catalogue.models import Service
from releases.core.models import Release
from releases.policies.models import PlanTemplate
from tests.releases.web.looking import plain, send, text
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.freezing import around_now, freeze_now
from tests.support.releasing import DIGEST, a_release, routed_by_flag

NEW, PREVIEW = "/p/shop/releases/new", "/p/shop/releases/preview"
FORM = {
    "environment": "production",
    "service": "checkout",
    "version": "2.0",
    "digest": DIGEST,
    "strategy": "canary",
    "steps[0].share": "5",
    "steps[0].soak_s": "10",
    "steps[0].gate": "1",
    "steps[1].share": "100",
    "steps[1].soak_s": "",
    "when": "now",
    "reason": "Faster search",
    "typed": "production",
}


@pytest.fixture
def service(production: Environment) -> Service:
    return routed_by_flag(production)


def made() -> Release:
    return Release.objects.get()


def test_a_release__filled_in__starts_and_its_page_opens(
    service: Service, alice_client: Client
) -> None:
    checks = {
        "checks[0].key": "slow",
        "checks[0].kind": "latency",
        "checks[0].threshold": "800",
        "checks[0].role": "signal",
        "checks[0].window_s": "2",
    }
    answer = send(alice_client, NEW, **FORM | checks, **{"on.no_data": "warn", "watch_s": "30"})
    release = made()
    assert answer.headers["HX-Redirect"] == f"/p/shop/releases/{release.pk}/"
    assert (release.state, release.reason) == ("running", "Faster search")
    plan = release.plan
    assert plan["steps"] == [
        {"share": 5, "soak_s": 600, "gate": True},
        {"share": 100, "soak_s": 0, "gate": False},
    ]
    assert (plan["on"]["no_data"], plan["watch_s"]) == ("warn", 1800)
    own = next(check for check in plan["checks"] if check["key"] == "slow")
    assert (own["threshold"], own["role"], own["window_s"]) == (800, "signal", 120)
    assert release.origins == {"slow": "plan", "errors": "service"}


def test_what_is_wrong__stands_beside_its_field_and_nothing_is_lost(
    service: Service, alice_client: Client
) -> None:
    wrong = {"steps[1].share": "3", "steps[2].share": "100", "digest": "9f86", "version": "2.0-rc"}
    answer = send(alice_client, NEW, **FORM | wrong)
    page = plain(answer, 422)
    assert "Give a larger share than the step before." in page
    assert 'value="2.0-rc"' in answer.content.decode()
    answer = send(alice_client, NEW, **FORM | {"digest": "9f86"})
    assert "Give a digest such as sha256:9f86" in plain(answer, 422)
    assert "Share (%)" in plain(answer, 422)
    for wrong, sentence in (
        ({"digest": "sha256:zz"}, "Give sha256: and 64 digits of 0-9 and a-f."),
        ({"version": "baseline"}, "are called stable and baseline; choose another."),
        ({"version": "green"}, "The router calls a place green"),
        ({"cohorts": "nobody"}, "There is no segment nobody."),
    ):
        assert sentence in plain(send(alice_client, NEW, **FORM | wrong), 422)
        assert sentence in plain(send(alice_client, PREVIEW, **FORM | wrong))
    assert not Release.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps[0].share", "NaN"),
        ("steps[0].share", "-1"),
        ("steps[0].soak_s", "inf"),
        ("watch_s", "forever"),
        ("strategy", "magic"),
        ("service", "unknown"),
        ("when", "later"),
        ("on.error", "shrug"),
        ("cohorts", "x" * 200),
    ],
)
def test_bad_input__is_refused_with_a_sentence_and_kept_in_the_form(
    service: Service, alice_client: Client, field: str, value: str
) -> None:
    answer = send(alice_client, NEW, **FORM | {field: value})
    assert "Nothing was saved yet." in plain(answer, 422)
    assert not Release.objects.exists()
    assert "Still to be filled in:" in plain(send(alice_client, PREVIEW, **FORM | {field: value}))


def test_production__takes_its_name_unless_others_agree_or_it_is_only_planned(
    service: Service, alice_client: Client, production: Environment
) -> None:
    assert "That is not production" in plain(send(alice_client, NEW, **FORM | {"typed": ""}), 422)
    assert not Release.objects.exists()
    send(alice_client, NEW, **FORM | {"typed": "", "when": "hold"})
    assert made().state == "planned"
    made().delete()
    set_policy(production, **TWO_ROLES)
    asked = send(alice_client, NEW, **FORM | {"typed": ""})
    assert asked.headers["HX-Redirect"].startswith("/p/shop/changes/")
    assert made().state == "planned"


def test_the_advice__says_why__and_another_strategy_takes_a_reason_that_is_kept(
    service: Service, alice_client: Client
) -> None:
    answers = {"concern": "zero_downtime_required", "answer": "medium_traffic"}
    page = plain(send(alice_client, NEW, **FORM | answers, do="redraw"))
    assert "Advised: canary, since this service is not set up for rolling." in page
    assert "Reason for not using the advised strategy" not in page
    other = FORM | answers | {"strategy": "in_place"}
    assert "Give a reason for not using the advised" in plain(send(alice_client, NEW, **other), 422)
    send(alice_client, NEW, **other, why="It is night")
    assert made().reason == "Faster search (Strategy in place instead of canary: It is night)"
    assert [step["share"] for step in made().plan["steps"]] == [100]


def test_the_steps__come_of_a_curve_a_template_or_rows_by_hand(
    service: Service, shop: Project, alice_client: Client
) -> None:
    curve = {"curve": "exponential", "first": "1", "count": "3", "soak": "7"}
    page = send(alice_client, NEW, **FORM | curve, do="curve").content.decode()
    assert [f'value="{share}"' in page for share in ("1", "10", "100")] == [True] * 3
    bad = send(alice_client, NEW, **FORM | curve | {"count": "1"}, do="curve")
    assert "Give a first share above 0 %" in plain(bad, 422)
    PlanTemplate.objects.create(
        project=shop, key="slow", name="Slow", updated_at=clock.now(), updated_by="alice",
        plan={"strategy": "canary", "steps": [{"share": 2.5, "soak_s": 60}, {"share": 100}]},
    )  # fmt: skip
    page = send(alice_client, NEW, **FORM | {"template": "slow"}, do="template").content.decode()
    assert 'name="steps[0].share" value="2.5"' in page
    page = send(alice_client, NEW, **FORM, do="remove-step:0").content.decode()
    assert 'name="steps[1].share"' not in page


def test_the_preview__says_times_gates_checks_and_where_each_is_from(
    service: Service, alice_client: Client
) -> None:
    page = plain(send(alice_client, PREVIEW, **FORM))
    assert "5 % 0 s 10 min unknown people decide" in page
    assert re.search(r"100 % 10 min . all it succeeds", page)
    assert "It takes at least 10 min" in page
    assert "People decide once on the way." in page
    assert "errors : error rate at most 5 % over 5 min (from the service)" in page
    assert "It can be rolled back at every step." in page
    assert not Release.objects.exists()


def test_the_preview__of_a_step_in_a_freeze__says_which_and_what_the_plan_does(
    service: Service, production: Environment, alice_client: Client
) -> None:
    freeze_now(production, name="Night", **around_now(ago=-0.1))
    page = plain(send(alice_client, PREVIEW, **FORM))
    assert "Night" in page
    assert "That is so when it comes to 100 %; the plan says: hold where it is." in page


def test_another_release_under_way__keeps_the_new_one_planned_unless_it_is_superseded(
    service: Service, production: Environment, alice: User, alice_client: Client
) -> None:
    running = a_release(service, production, alice)
    form = FORM | {"version": "3.0"}
    assert f"Release {running.pk}, checkout 2.0, moves here now." in plain(
        send(alice_client, PREVIEW, **form)
    )
    answer = send(alice_client, NEW, **form)
    assert "was not started" in text(alice_client, answer.headers["HX-Redirect"])
    send(alice_client, NEW, **form | {"version": "3.1"}, supersede="1")
    assert Release.objects.get(artefact__version="3.1").state == "running"
    running.refresh_from_db()
    assert running.state == "superseded"


def test_a_flag__is_rolled_out_with_checks_by_who_edits_it(
    shop: Project, dana_client: Client, bob_client: Client, new_checkout: Flag
) -> None:
    new_checkout.configurations.update(introduced=True)
    page = text(dana_client, f"{NEW}?flag=new-checkout&environment=development")
    assert "Roll out New checkout with checks" in page
    form: dict[str, Any] = {
        name: value for name, value in FORM.items() if name not in ("service", "version", "digest")
    }
    form |= {"environment": "development", "flag": "new-checkout", "variant": "on"}
    refused = send(bob_client, NEW, **form | {"strategy": "feature_flag"})
    assert refused.status_code == 403
    send(dana_client, NEW, **form | {"strategy": "feature_flag"})
    assert (made().state, made().title) == ("running", "new-checkout on")
    panel = plain(dana_client.get("/p/shop/releases/of-flag/development/new-checkout"))
    assert "new-checkout on running" in panel


def test_a_developer__plans_and_is_told_who_starts(service: Service, dana_client: Client) -> None:
    page = text(dana_client, f"{NEW}?service=checkout&environment=production")
    assert "deploy releases" in page
    assert "You can plan it, and somebody else starts it." in page
    send(dana_client, NEW, **FORM | {"when": "hold"})
    assert made().state == "planned"


def test_a_viewer__reads_why_they_may_not_plan(bob_client: Client, service: Service) -> None:
    assert "This needs the permission “plan releases”" in text(bob_client, NEW)
    assert send(bob_client, NEW, **FORM).status_code == 403


def test_tagged_requests_first__are_a_tick_of_the_form_and_its_page_says_how_to_send_some(
    service: Service, alice_client: Client
) -> None:
    tagged = {"tagged": "1", "tagged_s": "10", "tagged_requests": "20"}
    assert "tagged (synthetic) requests alone get it" in plain(
        send(alice_client, PREVIEW, **FORM | tagged)
    )
    for wrong, sentence, beside in (
        ({"tagged_s": "-1"}, "Give a whole number", "f-tagged-soak-note"),
        ({"tagged_requests": "many"}, "Give a whole number", "f-tagged-requests-note"),
        (
            {"steps[1].share": "3"},
            "Let the last step reach 100 %.",
            "f-step-1-share-note",
        ),
    ):
        answer = send(alice_client, NEW, **FORM | tagged | wrong)
        found = re.search(f'id="{beside}">(.*?)</div>', answer.content.decode())
        assert found
        assert found[1].startswith(sentence)
    send(alice_client, NEW, **FORM | tagged)
    release = made()
    first = {"work": "synthetic", "soak_s": 600, "gate": False, "minimum_requests": 20}
    assert release.plan["steps"][0] == first
    said = text(alice_client, f"/p/shop/releases/{release.pk}/")
    assert "Nobody but tagged requests gets it now." in said
    assert f"aviary_tester={release.router['tester']}" in said
    assert '"synthetic": true' in said


def test_a_blue_green_plan__tries_tagged_requests_between_deploying_and_the_switch(
    service: Service, alice_client: Client
) -> None:
    more = {"tagged": "1", "tagged_s": "5", "smoke": "1", "bake": "10"}
    send(alice_client, NEW, **FORM | more | {"strategy": "blue_green"})
    works = [one.get("work", "route") for one in made().plan["steps"]]
    assert works == ["deploy", "synthetic", "route"]
    kept = {"template_key": "tried", "template_name": "Tried", "do": "keep"}
    send(alice_client, NEW, **FORM | more | kept | {"strategy": "blue_green"})
    page = send(
        alice_client, NEW, **FORM | {"template": "tried", "do": "template"}
    ).content.decode()
    assert re.search(r'name="tagged" value="1"\s+checked', page)
