"""The whole road: outcomes told to a real evaluator, through Redis, to what a check is given."""

import math
from collections.abc import Iterator

import pytest
from django.test import Client

from flags import tasks
from flags.delivery import relay
from flags.engine import compile_flag
from flags.engine.sketch import RELATIVE_ERROR
from flags.models import Flag
from flags.segments.services import create_segment
from portal.access.models import ApiKey, Environment, User
from portal.access.services import revoke_key
from portal.lib.journal import Intent
from releases.core.models import Release
from releases.telemetry import storing
from releases.telemetry.models import OutcomeBucket
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.releases.telemetry.conftest import PATH, Application, application, arrived, told
from tests.support.people import acting
from tests.support.releasing import (
    ERRORS,
    PLAN,
    a_release,
    a_service,
    fresh,
    let_pass,
    roll_out,
    routed_by_flag,
    tick,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def app(
    published_evaluator: EvaluatorProcess, production: Environment, new_checkout: Flag
) -> Application:
    a_service(production.project)
    return application(published_evaluator, production)


@pytest.fixture
def heard() -> Iterator[list[storing.About]]:
    """Whose outcomes were stored."""
    found: list[storing.About] = []
    storing.stored.append(found.extend)
    yield found
    storing.stored.remove(found.extend)


def test_outcomes__of_versions_variants_and_contexts__arrive_as_they_were_told(
    app: Application, production: Environment, heard: list[storing.About]
) -> None:
    durations = [1.5 ** (number % 23) for number in range(400)]
    of_service = {"service": "checkout", "version": "2.0"}
    answers = [
        app.tell(*({**of_service, "duration_ms": one} for one in durations[:200])),
        app.tell({**of_service, "durations_ms": durations[200:]}),
        app.tell({**of_service, "count": 50, "errors": 7, "error_type": "timeout"}),
        app.tell({"flag": "new-checkout", "variant": "on", "error": True}),
        app.tell({"flag": "new-checkout", "context": {"targetingKey": "u"}, "value": 2.5}),
    ]
    assert [one["accepted"] for one in answers] == [200, 1, 1, 1, 1]
    found = arrived(production, "2.0", 450)
    assert (found.errors, found.error_types) == (7, {"timeout": 7})
    for share in (0.5, 0.95, 1.0):
        exact = sorted(durations)[math.ceil(share * 400) - 1]
        assert found.durations.quantile(share) == pytest.approx(exact, rel=RELATIVE_ERROR + 1e-9)
    flags = [told(production, one, "flag", "new-checkout") for one in ("on", "off")]
    assert sorted((one.requests, one.errors) for one in flags) == [(1, 0), (1, 1)]
    whose = {(production.pk, "service", "checkout"), (production.pk, "flag", "new-checkout")}
    assert set(heard) == whose
    assert OutcomeBucket.objects.filter(values=1, value_sum=2.5).count() == 1


def test_errors_that_a_client_key_tells__roll_back_where_it_has_the_right_to_decide_alone(
    published_evaluator: EvaluatorProcess, production: Environment, alice: User
) -> None:
    release = a_release(routed_by_flag(production), production, alice)
    failed = {"service": "checkout", "version": "2.0", "count": 200, "error": True}
    let_pass(release, 20)  # what began before the step does not count
    anybody = application(published_evaluator, production, "client")
    assert anybody.tell(failed)["accepted"] == 1
    wait_until(lambda: _stored("service", by_client=True) == 200)
    assert tick(release).state == "running"
    trusted = application(published_evaluator, production, "client", "telemetry")
    assert trusted.tell(failed | {"count": 20_000})["accepted"] == 1
    wait_until(lambda: _stored("service") == 20_000)
    back = tick(release)
    assert (back.state, back.because["check"]) == ("rolled_back", "errors")
    key = ApiKey.objects.get(rights=["telemetry"])
    revoke_key(key=key, intent=Intent(acting(alice)))
    relay.sweep()
    wait_until(lambda: _answered(trusted, failed) == 401)


def _stored(about: str, *, by_client: bool = False) -> int:
    tasks.take_intake()
    rows = OutcomeBucket.objects.filter(about=about, by_client=by_client)
    return sum(rows.values_list("requests", flat=True))


def _answered(teller: Application, outcome: object) -> int:
    body = {"outcomes": [outcome]}
    return teller.evaluator.http.post(PATH, json=body, headers=teller.headers).status_code


def test_cohorts_and_testers__are_counted_apart_and_decide_about_no_share(
    published_evaluator: EvaluatorProcess,
    production: Environment,
    new_checkout: Flag,
    alice: User,
    alice_client: Client,
) -> None:
    segment = {"key": "staff", "included": ["ann"]}
    create_segment(project=production.project, document=segment, intent=Intent(acting(alice)))
    plan = PLAN | {"cohorts": ["staff"], "checks": [ERRORS]}
    release = roll_out(new_checkout, production, alice, plan=plan)
    shop = application(published_evaluator, production)
    ann = {"targetingKey": "ann"}
    wait_until(lambda: _served(shop, ann) == "on")
    let_pass(release, 20)
    told = {"flag": "new-checkout", "count": 200}
    shop.tell(told | {"context": ann})
    wait_until(lambda: _stored("cohorts") == 200)
    assert let_pass(release, 61).step == 1  # at their own step there is nobody else
    relay.sweep()
    user = {"targetingKey": next(one for one in map(str, range(100)) if _gets(release, one))}
    wait_until(lambda: _served(shop, user) == "on")
    let_pass(release, 20)
    tester = {"targetingKey": "bea", "aviary_tester": fresh(release).router["tester"]}
    fails = told | {"error": True}
    shop.tell(fails | {"context": ann}, fails | {"context": tester})
    wait_until(lambda: (_stored("cohorts"), _stored("testers")) == (400, 200))
    assert tick(release).checks["errors"]["requests"] == 0
    page = f"/p/{production.project.key}/releases/{release.pk}/"
    lines = [one["name"] for one in alice_client.get(f"{page}measured").json()["lines"]]
    assert lines[:2] == ["canary cohorts (apart)", "testers (apart)"]
    assert "apart from then on" in alice_client.get(page).content.decode()
    shop.tell(fails | {"context": user})
    wait_until(lambda: _stored("flag") == 200)
    assert tick(release).state == "rolled_back"


def test_synthetic_outcomes_of_a_service__count_at_the_step_of_tagged_requests_alone(
    published_evaluator: EvaluatorProcess,
    production: Environment,
    alice: User,
    alice_client: Client,
) -> None:
    tagged = {"work": "synthetic", "soak_s": 60}
    plan = PLAN | {"steps": [tagged, *PLAN["steps"]]}
    release = a_release(routed_by_flag(production), production, alice, plan=plan)
    shop = application(published_evaluator, production)
    let_pass(release, 20)
    told = {"service": "checkout", "version": "2.0", "count": 200}
    said = shop.tell(told | {"error": True}, told | {"synthetic": True}, told | {"synthetic": 1})
    assert said["accepted"] == 2
    wait_until(lambda: (_stored("service"), _stored("synthetic")) == (200, 200))
    moved = let_pass(release, 61)
    assert (moved.state, moved.step) == ("running", 1)
    let_pass(release, 20)
    shop.tell(told | {"synthetic": True, "error": True})
    wait_until(lambda: _stored("synthetic") == 400)
    assert tick(release).checks["errors"]["requests"] == 0
    page = f"/p/{production.project.key}/releases/{release.pk}/measured"
    lines = [one["name"] for one in alice_client.get(page).json()["lines"]]
    assert lines[0] == "tagged requests (apart)"


def _served(shop: Application, context: object) -> str:
    path = "/ofrep/v1/evaluate/flags/new-checkout"
    answer = shop.evaluator.http.post(path, json={"context": context}, headers=shop.headers)
    return str(answer.json().get("variant"))


def _gets(release: Release, user: str) -> bool:
    """Whether a user gets the new version by the share."""
    flag = release.flag
    assert flag
    document = flag.configurations.get(environment=release.environment).environment_document()
    return compile_flag({**document, "rules": []}).evaluate({"targetingKey": user}).variant == "on"
