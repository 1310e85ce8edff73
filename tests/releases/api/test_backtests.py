"""A check, tried on recorded releases before it is armed: through the API and on its page."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from flags.engine.sketch import Sketch, bucket_of
from portal.access.models import Environment, User
from portal.lib import clock
from releases.catalogue.models import Service
from releases.core.models import Release, State, StepExecution
from releases.telemetry.models import OutcomeBucket
from releases.telemetry.storing import roll_up
from tests.releases.web.looking import HTMX, text, words
from tests.support.releasing import ERRORS, a_release, fresh
from tests.support.script import PROJECT, Script, answer, problem

pytestmark = pytest.mark.postgresql
BACKTEST = f"{PROJECT}/services/checkout/environments/production/backtest"
PAGE = "/p/shop/service/checkout/backtest/production"
WORSE = {"key": "worse", "kind": "error_comparison"}
STEP_S = 300


def recorded(
    service: Service,
    place: Environment,
    person: User,
    version: str,
    state: str,
    ago: timedelta,
    errors: tuple[int, int] = (1, 1),
) -> Release:
    """One that was at 5 % for five minutes and then ended, so long ago. Each arm had 100 requests
    in every ten seconds, and so many errors; the new version only after its first minute."""
    began_at = clock.now().replace(second=0, microsecond=0) - ago
    release = fresh(a_release(service, place, person, version=version, start=False))
    release.state, release.started_at = state, began_at
    release.ended_at = began_at + timedelta(seconds=STEP_S)
    release.due_at = None
    release.save()
    StepExecution.objects.create(
        release=release,
        step=0,
        attempt=1,
        share=5_000,
        started_at=began_at,
        reached_at=began_at,
        ended_at=release.ended_at,
        outcome=state,
    )
    for at in range(STEP_S // 10):
        late = errors[0] if at >= 6 else errors[1]
        for name, failed in ((version, late), ("baseline", errors[1])):
            _bucket(release, name, began_at + timedelta(seconds=10 * at), failed)
    return release


def _bucket(release: Release, version: str, start: datetime, errors: int) -> None:
    OutcomeBucket.objects.create(
        environment=release.environment,
        about="service",
        name="checkout",
        version=version,
        start=start,
        requests=100,
        errors=errors,
        durations=Sketch({bucket_of(20): 100}).dump(),
    )


@pytest.fixture
def past(service: Service, production: Environment, alice: User) -> list[Release]:
    """A good release an hour ago, and before it a bad one, of which only minutes are kept."""
    hours = timedelta(hours=1)
    bad = recorded(service, production, alice, "1.9", State.ROLLED_BACK, 3 * hours, (9, 1))
    good = recorded(service, production, alice, "2.0", State.SUCCEEDED, hours)
    roll_up(now=clock.now())
    return [good, bad]


def ask(script: Script, check: dict[str, Any]) -> Any:
    return answer(script.post(BACKTEST, {"check": check}))


def test_a_comparison__is_run_over_what_releases_did(script: Script, past: list[Release]) -> None:
    found = ask(script, WORSE)
    good, bad = past
    assert [one["number"] for one in found["releases"]] == [good.pk, bad.pk]
    assert [(one["fired"], one["falsely"]) for one in found["releases"]] == [
        (False, False),
        (True, False),
    ]
    assert [one["width_s"] for one in found["releases"]] == [10, 60]
    assert (found["measured"], found["fired"], found["fired_rightly"]) == (2, 1, 1)
    assert (found["succeeded"], found["fired_falsely"], found["went_back"]) == (1, 0, 1)
    assert 60 < found["after_s"] <= STEP_S
    assert found["limit"] == "error rate not above the baseline's"


@pytest.mark.parametrize(
    ("check", "fired"),
    [
        (ERRORS, [False, True]),
        (ERRORS | {"threshold": 0.5}, [True, True]),  # falsely, at the good one
        (ERRORS | {"threshold": 20}, [False, False]),
        ({"key": "slow", "kind": "latency", "threshold": 10}, [True, True]),
        ({"key": "slow", "kind": "latency", "threshold": 30}, [False, False]),
        ({"key": "slow", "kind": "latency_comparison", "slower_than_ms": 10}, [False, False]),
        ({"key": "types", "kind": "new_error_types"}, [False, False]),
        ({"key": "revenue", "kind": "value_comparison"}, [False, False]),
    ],
)
def test_each_kind__fires_where_it_would_have(
    script: Script, past: list[Release], check: dict[str, Any], fired: list[bool]
) -> None:
    found = ask(script, check)
    assert [one["fired"] for one in found["releases"]] == fired
    assert found["fired_falsely"] == int(fired[0])


def test_new_types_of_errors__are_found_where_no_other_version_had_them(
    script: Script, service: Service, production: Environment, alice: User
) -> None:
    ago = timedelta(hours=1)
    release = recorded(service, production, alice, "2.0", State.ROLLED_BACK, ago)
    OutcomeBucket.objects.update(error_types={"KeyError": 1})
    check = {"key": "types", "kind": "new_error_types"}
    assert ask(script, check)["fired"] == 0  # the baseline has them as well
    OutcomeBucket.objects.filter(version="baseline").update(error_types={})
    (found,) = ask(script, check)["releases"]
    assert (found["number"], found["fired"], found["after_s"]) == (release.pk, True, 50)


def test_what_cannot_be_asked_about_the_past__is_refused(script: Script, service: Service) -> None:
    probe = {"key": "up", "kind": "http", "threshold": 3, "url": "https://example.com/health"}
    for check, wrong in ((probe, "check.kind"), ({"key": "x"}, "check.kind"), ([], "check")):
        errors = problem(script.post(BACKTEST, {"check": check}), 400)["errors"]
        assert [one["path"] for one in errors] == [wrong]
    assert ask(script, WORSE)["releases"] == []


def test_the_page__says_it_in_a_sentence_and_a_row_each(
    past: list[Release], alice_client: Client
) -> None:
    said = text(alice_client, f"{PAGE}?key=errors")
    assert "It would have failed at 1 of 2 releases: 1 of 1 that went back, and 0 of 1" in said
    assert "would have failed at 5 %, after" in said
    assert "would have passed by 10 s" in said
    assert "checkout 1.9" in said


def test_a_check_of_the_form__is_tried_as_it_is_typed(
    past: list[Release], alice_client: Client
) -> None:
    row = {"key": "errors", "kind": "error_rate", "threshold": "0.5", "role": "guardrail",
           "window_s": "5", "minimum_requests": "", "url": "", "rest": ""}  # fmt: skip
    asked = {f"checks[3].{name}": value for name, value in row.items()}
    part = alice_client.get(PAGE, asked, headers=HTMX).content.decode()
    assert "at 2 of 2 releases" in words(part)
    assert "falsely" in words(part)
    assert "<html" not in part
    wrong = alice_client.get(PAGE, asked | {"checks[3].threshold": "x"}, headers=HTMX)
    assert "Give a number." in words(wrong.content.decode())


def test_a_stranger__finds_no_page(past: list[Release], charlie_client: Client) -> None:
    assert charlie_client.get(PAGE).status_code == 404
