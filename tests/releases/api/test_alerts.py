"""Alertmanager's webhook, and what releases make of it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from portal.access.models import Environment, User
from portal.lib import clock
from releases.alerts import services
from releases.alerts.models import Alert, AlertSource
from releases.core.descriptions import hold_words, outcome_words
from releases.core.models import Release
from tests.support.releasing import a_release, let_pass, routed_by_flag, tick
from tests.support.script import PROJECT, Script, answer, issue, problem

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]
ALERTS = f"{PROJECT}/environments/production/alerts"
NEVER = "0001-01-01T00:00:00Z"
CHECK = {
    "key": "alerts",
    "kind": "alerts",
    "matchers": {"service": "{{service}}", "version": "{{version}}"},
}


def alert(name: str, starts_at: datetime, ends_at: datetime | None = None, **labels: str) -> Any:
    """One alert as Alertmanager writes it."""
    return {
        "status": "resolved" if ends_at else "firing",
        "labels": {"alertname": name, "service": "checkout", **labels},
        "annotations": {"summary": f"{name} is too high", "runbook_url": "https://example.com"},
        "startsAt": starts_at.isoformat(timespec="microseconds").replace(
            "+00:00", "123Z"
        ),  # nanoseconds
        "endsAt": ends_at.isoformat() if ends_at else NEVER,
        "generatorURL": "http://prometheus/graph",
        "fingerprint": f"{abs(hash((name, *labels.items()))):016x}"[:16],
    }


def tell(script: Script, *alerts: Any, status: int = 200, **more: Any) -> Any:
    body = {
        "version": "4",
        "groupKey": '{}:{alertname="x"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "aviary",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }
    response = script.post(ALERTS, body | more)
    return answer(response) if status == 200 else problem(response, status)


def counts(**found: int) -> dict[str, int]:
    return {"firing": 0, "resolved": 0, "unchanged": 0, "left_out": 0} | found


def firing(script: Script) -> list[str]:
    return [one["labels"]["alertname"] for one in answer(script.get(ALERTS))["alerts"]]


def test_an_alert__fires_once_and_ends_when_it_is_resolved(script: Script, now: datetime) -> None:
    at = clock.database_now().replace(microsecond=0)
    fires, since = alert("Errors", at), at - timedelta(minutes=1)
    assert tell(script, fires, alert("Slow", since)) == counts(firing=2)
    before = list(Alert.objects.values("pk", "labels", "starts_at", "ends_at"))
    assert tell(script, fires) == counts(unchanged=1)
    assert list(Alert.objects.values("pk", "labels", "starts_at", "ends_at")) == before
    assert firing(script) == ["Errors", "Slow"]  # the latest first
    ended = alert("Errors", at, at + timedelta(seconds=5))
    assert tell(script, ended) == counts(resolved=1)
    assert tell(script, ended, fires) == counts(unchanged=2)  # late: that one is over
    assert firing(script) == ["Slow"]


def test_an_old_end__does_not_end_what_began_anew(script: Script) -> None:
    at = clock.database_now()
    old = alert("Errors", at - timedelta(hours=1), at - timedelta(minutes=50))
    tell(script, alert("Errors", at - timedelta(hours=1)))
    assert tell(script, alert("Errors", at)) == counts(firing=1)
    assert tell(script, old) == counts(unchanged=1)
    assert firing(script) == ["Errors"]
    assert Alert.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (7, "alerts[1]"),
        ({"status": "off"}, "alerts[1].status"),
        ({"startsAt": "yesterday"}, "alerts[1].startsAt"),
        ({"startsAt": "2026-01-01T00:00:00"}, "alerts[1].startsAt"),
        ({"labels": {"a": 1}}, "alerts[1].labels.a"),
        ({"labels": {str(n): "" for n in range(65)}}, "alerts[1].labels"),
        ({"fingerprint": "x" * 65}, "alerts[1].fingerprint"),
        ({"annotations": []}, "alerts[1].annotations"),
        ({"startsAt": "0001-01-01T00:00:00+05:00"}, "alerts[1].startsAt"),
        ({"endsAt": "9999-12-31T23:59:59-05:00"}, "alerts[1].endsAt"),
    ],
)
def test_an_alert_that_is_wrong__is_refused_and_nothing_is_kept(
    script: Script, wrong: Any, path: str
) -> None:
    good = alert("Errors", clock.database_now())
    bad = {**good, **wrong} if isinstance(wrong, dict) else wrong
    refused = tell(script, good, bad, status=400)
    assert [one["path"] for one in refused["errors"]] == [path]
    assert not Alert.objects.exists()
    assert not AlertSource.objects.exists()


def test_what_is_no_webhook_of_alertmanager__is_refused(script: Script) -> None:
    for body, path in (
        ({"version": "3"}, ""),
        ({"alerts": {}}, "alerts"),
        ({"alerts": [{}] * 2001}, "alerts"),
    ):
        assert path in [one["path"] for one in tell(script, status=400, **body)["errors"]]


def test_an_alert_from_the_future__is_refused(script: Script) -> None:
    late = alert("Errors", clock.database_now() + timedelta(days=2))
    refused = tell(script, late, status=400)
    assert refused["errors"][0]["path"] == "alerts[0].startsAt"
    assert "clock" in refused["errors"][0]["message"]


def test_a_body_that_is_too_large__is_refused(script: Script) -> None:
    problem(script.call("POST", ALERTS, raw=b"[" + b" " * 1_100_000 + b"]"), 413)


def test_only_so_many__are_kept_firing_and_what_is_not_known_is_no_pass(
    script: Script, production: Environment, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_FIRING", 2)
    at = clock.database_now()
    many = [alert("Other", at - timedelta(hours=1), n=str(n)) for n in range(3)]
    assert tell(script, *many) == counts(firing=2, left_out=1)
    release = released(production, alice, CHECK)
    assert release.checks["alerts"]["verdict"] == "error"
    assert "some are not known" in release.checks["alerts"]["detail"]


def test_alerts_that_alertmanager_left_out__are_counted_and_kept_in_mind(script: Script) -> None:
    told = tell(script, alert("Errors", clock.database_now()), truncatedAlerts=900)
    assert told == counts(firing=1, left_out=900)
    assert AlertSource.objects.get().left_out_at is not None


def test_what_ended_a_month_ago__is_forgotten(script: Script) -> None:
    at = clock.database_now()
    ended = alert("Errors", at - timedelta(days=40), at - timedelta(days=31))
    tell(script, ended, alert("Slow", at))
    services.forget_old(at=at)
    assert [one.name for one in Alert.objects.all()] == ["Slow"]
    services.forget_old(at=at + timedelta(days=31))  # nobody repeats what fires
    assert not Alert.objects.exists()


def test_a_key__reaches_its_own_environment_and_needs_the_right_to_roll_back(
    script: Script, elsewhere: Script, production: Environment, dana: User
) -> None:
    problem(elsewhere.post(ALERTS, {"version": "4", "alerts": []}), 403)
    problem(Script().post(ALERTS, {}), 401)
    problem(Script(issue(production, "server")).post(ALERTS, {}), 403)
    limited = Script(issue(production, owner=dana))  # who plans releases, and no more
    assert answer(limited.get(ALERTS))["alerts"] == []
    assert "roll releases back" in problem(limited.post(ALERTS, {}), 403)["detail"]


def released(place: Environment, person: User, check: dict[str, Any]) -> Release:
    service = routed_by_flag(place, checks=(check,))
    plan = {"steps": [{"share": 5, "soak_s": 60}, {"share": 100}], "proof_of_return": False}
    return tick(a_release(service, place, person, plan=plan))


def test_before_alertmanager_ever_told_anything__there_is_no_data(
    script: Script, production: Environment, alice: User
) -> None:
    release = let_pass(released(production, alice, CHECK), 70)
    assert release.checks["alerts"]["verdict"] == "no_data"
    assert (release.step, release.state) == (0, "held")
    assert "give it the webhook" in hold_words(release, release.holds[0])
    tell(script)  # it works, and nothing fires
    assert tick(release).step == 1


def test_an_alert_of_the_new_version__takes_it_back_and_is_shown(
    script: Script, production: Environment, alice: User, alice_client: Client
) -> None:
    tell(script)
    release = released(production, alice, CHECK)
    assert release.checks["alerts"]["verdict"] == "passed"
    at = clock.database_now()
    tell(script, alert("Errors", at, version="1.0"), alert("Errors", at, service="search"))
    page = alice_client.get(f"/p/shop/releases/{release.pk}/").content.decode()
    assert "1 alert firing" in page  # of the service, though no check is about it
    assert tick(release).state == "running"
    tell(script, alert("Errors", at, version="2.0"), alert("{Slow}", at, version="2.0"))
    release = tick(release)
    assert release.state == "rolled_back"
    assert "2 alerts firing: Errors, {Slow}" in outcome_words(release)
    assert "3 alerts firing" in alice_client.get("/p/shop/service/checkout/").content.decode()


def test_an_alert_that_fired_before__is_not_the_releases_doing_unless_the_check_says_so(
    script: Script, production: Environment, alice: User
) -> None:
    tell(script, alert("Errors", clock.database_now() - timedelta(hours=1), version="2.0"))
    release = released(production, alice, CHECK)
    assert release.checks["alerts"]["verdict"] == "passed"
    also = dict(release.plan)
    also["checks"] = [one | {"also_before": True} for one in also["checks"]]
    Release.objects.filter(pk=release.pk).update(plan=also)
    assert tick(release).state == "rolled_back"


def test_a_new_alert__has_its_releases_looked_at_at_once(
    script: Script, production: Environment, alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    release = released(production, alice, CHECK)
    assert release.due_at is not None
    assert release.due_at > clock.database_now()
    with django_capture_on_commit_callbacks(execute=True):
        tell(script, alert("Errors", clock.database_now(), version="2.0"))
    release.refresh_from_db()
    assert release.due_at is not None
    assert release.due_at <= clock.database_now()


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"matchers": {}}, "checks[0].matchers"),
        ({"matchers": {"a-b": "x"}}, "checks[0].matchers"),
        ({"matchers": {"a": "{{window}}"}}, "checks[0].matchers.a"),
        ({"threshold": 0}, "checks[0].threshold"),
        ({"also_before": "yes"}, "checks[0].also_before"),
        ({"url": "http://x"}, "checks[0].url"),
    ],
)
def test_a_check_that_is_wrong__is_refused(
    script: Script, production: Environment, more: dict[str, Any], path: str
) -> None:
    routed_by_flag(production)
    body = {"router": {"kind": "manual"}, "checks": [CHECK | more]}
    where = f"{PROJECT}/services/checkout/environments/production"
    refused = problem(script.call("PUT", where, body), 400)
    assert path in [one["path"] for one in refused["errors"]]
