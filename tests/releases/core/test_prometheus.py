"""Releases judged by a real Prometheus that scrapes a real exporter."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from portal.access.models import Environment, User
from portal.lib import outbound
from releases.core.descriptions import hold_words, outcome_words
from releases.core.models import Measurement, Release
from tests.support.http_server import answering, serving
from tests.support.ports import free_port
from tests.support.prometheus_server import (
    Exporter,
    PrometheusServer,
    needs_prometheus,
    prometheus_of,
)
from tests.support.releasing import (
    PLAN,
    a_release,
    fresh,
    let_pass,
    routed_by_flag,
    tick,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db
OF = '{service="{{service}}",version="{{version}}"}[{{window}}]'
RATIO = f"100 * sum(rate(shop_errors_total{OF})) / sum(rate(shop_requests_total{OF}))"
QUEUE = 'shop_queue{version="{{version}}"}'


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    exporter = Exporter()
    yield exporter
    exporter.stop()


@pytest.fixture(scope="module")
def prometheus(
    exporter: Exporter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    with prometheus_of(exporter, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture(autouse=True)
def everywhere(settings: Settings) -> None:
    settings.OUTBOUND_NETWORKS = outbound.EVERYWHERE


def released(place: Environment, person: User, version: str, check: dict[str, Any]) -> Release:
    """On its first step for a minute, watched by this check alone."""
    checks = [{"key": "prom", "kind": "prometheus", "threshold": 5, "period_s": 1} | check]
    service = routed_by_flag(place, checks=tuple(checks))
    return let_pass(a_release(service, place, person, version=version), 50)


def later(release: Release, seconds: float) -> Release:
    """So much later, when it is asked again."""
    now = fresh(release)
    for state in now.checks.values():
        state["asked_at"] = None
    now.save()
    return let_pass(now, seconds)


def why_held(release: Release) -> str:
    return " ".join(hold_words(release, one) for one in release.holds)


def said(release: Release) -> tuple[str, Any, str]:
    state = release.checks["prom"]
    return state["verdict"], state["value"], state["detail"]


def report(
    exporter: Exporter, prometheus: PrometheusServer, version: str, errors: int, pod: str = "a"
) -> None:
    """A hundred requests that Prometheus has seen come, with so many errors."""
    exporter.count(version, 0, 0, pod)
    of = f'{{version="{version}",pod="{pod}"}}'
    wait_until(lambda: prometheus.value(f"shop_requests_total{of}"), what="the first sample")
    exporter.count(version, 100, errors, pod)
    rates = f"rate(shop_requests_total{of}[1m]) > 0"
    wait_until(lambda: prometheus.value(rates), what="a rate")
    wait_until(lambda: prometheus.value(f"shop_errors_total{of} >= {errors}"), what="the errors")


@needs_prometheus
def test_a_release__goes_back_by_what_prometheus_says(
    exporter: Exporter,
    prometheus: PrometheusServer,
    development: Environment,
    alice: User,
    alice_client: Client,
) -> None:
    version = '2.0-"bad"'
    report(exporter, prometheus, "1.0", 0)
    exporter.count(version, 0)
    wait_until(lambda: prometheus.value('shop_requests_total{version=~"2.0-.*"}'))
    exporter.count(version, 100, 20)
    wait_until(lambda: prometheus.value('rate(shop_errors_total{version=~"2.0-.*"}[1m]) > 0'))
    check = {"url": prometheus.url, "query": RATIO}
    release = released(development, alice, version, check)
    assert release.state == "rolled_back"
    assert release.because["value"] == pytest.approx(20)
    assert (release.because["check"], release.because["threshold"]) == ("prom", 5)
    row = Measurement.objects.filter(release=release).last()
    assert row is not None
    assert row.verdict == "failed"
    assert row.value == pytest.approx(20)
    page = alice_client.get(f"/p/shop/releases/{release.pk}/").content.decode()
    assert "on top of the exporter" in page
    assert "interval of 0.25 s" in page
    assert "Rolled back by the check “prom”: 20" in page


@needs_prometheus
def test_a_good_version__passes_whatever_others_do(
    exporter: Exporter, prometheus: PrometheusServer, development: Environment, alice: User
) -> None:
    report(exporter, prometheus, "1.1", 90)
    report(exporter, prometheus, "2.1", 1)
    release = released(development, alice, "2.1", {"url": prometheus.url, "query": RATIO})
    assert said(release) == ("passed", pytest.approx(1), "")
    assert release.state == "running"


@needs_prometheus
def test_several_series__the_worst_decides(
    exporter: Exporter, prometheus: PrometheusServer, development: Environment, alice: User
) -> None:
    for pod, waiting in (("a", 3), ("b", 9)):
        exporter.queue.labels("checkout", "2.2", pod).set(waiting)
    wait_until(lambda: len(prometheus.value('shop_queue{version="2.2"}')) == 2)
    check = {"url": prometheus.url, "query": QUEUE, "role": "signal"}
    release = released(development, alice, "2.2", check)
    assert said(release) == ("failed", 9, "the max of 2 series")
    assert [one["cause"] for one in release.holds] == ["regression"]


@needs_prometheus
def test_no_series_nan_and_what_is_no_longer_reported__are_no_data_and_never_a_pass(
    prometheus: PrometheusServer,
    development: Environment,
    alice: User,
    tmp_path: Path,
) -> None:
    check = {"url": prometheus.url, "query": RATIO}
    release = later(released(development, alice, "9.9", check), 20)
    verdict, value, detail = said(release)
    assert (verdict, value) == ("no_data", None)
    assert "no series" in detail
    assert release.state == "held"
    assert "has no data yet" in why_held(release)


@needs_prometheus
def test_a_target_that_stops__is_no_data_once_its_series_are_stale(
    development: Environment, alice: User, tmp_path: Path
) -> None:
    mine = Exporter()
    mine.queue.labels("checkout", "2.3", "a").set(1)
    with prometheus_of(mine, tmp_path) as server:
        wait_until(lambda: server.value('shop_queue{version="2.3"}'))
        check = {"url": server.url, "query": QUEUE}
        release = released(development, alice, "2.3", check)
        assert said(release)[:2] == ("passed", 1)
        mine.stop()
        wait_until(lambda: not server.value('shop_queue{version="2.3"}'), what="staleness")
        release = later(release, 5)
        assert said(release)[:2] == ("no_data", None)
        release = later(release, 30)
        assert (release.step, release.state) == (0, "held")  # no data is never a pass


@needs_prometheus
def test_nan__is_no_data_and_infinity_fails(
    exporter: Exporter, prometheus: PrometheusServer, development: Environment, alice: User
) -> None:
    exporter.queue.labels("checkout", "2.4", "a").set(float("nan"))
    wait_until(lambda: prometheus.value('shop_queue{version="2.4"}'))
    check = {"url": prometheus.url, "query": QUEUE}
    release = released(development, alice, "2.4", check)
    assert said(release)[0] == "no_data"
    assert "NaN" in said(release)[2]
    exporter.queue.labels("checkout", "2.4", "a").set(float("inf"))
    wait_until(lambda: prometheus.value('shop_queue{version="2.4"}') == [float("inf")])
    release = later(release, 5)
    assert release.state == "rolled_back"
    assert "+Inf" in outcome_words(release)


@needs_prometheus
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("rate(shop_requests_total", "Prometheus refused the query (bad_data)"),
        ("rate(shop_requests_total)", "Prometheus refused the query (bad_data)"),
        ("shop_requests_total[{{window}}]", "gives a matrix and not a number"),
        ('"text"', "gives a string and not a number"),
    ],
)
def test_promql_that_errs__holds_and_says_what_prometheus_said(
    prometheus: PrometheusServer, development: Environment, alice: User, query: str, says: str
) -> None:
    release = released(development, alice, "2.5", {"url": prometheus.url, "query": query})
    assert said(release)[:2] == ("error", None)
    assert says in said(release)[2]
    assert (release.state, [one["cause"] for one in release.holds]) == ("held", ["check_error"])
    assert says in why_held(release)  # so does the history
    assert Measurement.objects.filter(release=release, detail__contains=says).exists()


def _hang(_handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)


def _refuse(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(502)


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        (_hang, "did not answer within 1 s"),
        (_refuse, "status 502"),
        (answering(lambda _request: b"<html>"), "not one of Prometheus"),
        (answering(lambda _request: b"[" * 70_000), "too many series"),
    ],
)
def test_a_server_that_is_away_or_answers_garbage__is_an_error_and_takes_nothing_back(
    development: Environment, alice: User, behaviour: Any, says: str
) -> None:
    with serving(behaviour) as server:
        check = {"url": server.url, "query": RATIO, "timeout_s": 1}
        release = released(development, alice, "2.6", check)
    assert said(release)[0] == "error"
    assert says in said(release)[2]
    assert release.state == "held"


def test_a_baseline__is_compared_with_while_somebody_has_it(
    development: Environment, alice: User
) -> None:
    asked: list[bytes] = []

    def answer(request: Any) -> bytes:
        asked.append(request.body)
        return b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'

    query = 'a{version="{{version}}"} / a{version="{{baseline}}"}'
    with serving(answering(answer)) as server:
        plan = PLAN | {"steps": [{"share": 50, "soak_s": 20}, {"share": 100}]}
        check = {"key": "prom", "kind": "prometheus", "threshold": 5, "period_s": 1}
        check |= {"url": server.url, "query": query}
        service = routed_by_flag(development, checks=(check,))
        release = let_pass(a_release(service, development, alice, plan=plan), 25)
        assert b"version%3D%22baseline%22" in asked[-1]
        assert release.step == 1
        release = later(release, 25)
    assert release.state == "succeeded"
    assert release.checks["prom"] == {"idle": True}


def test_a_private_address__is_refused_and_the_setting_is_named(
    development: Environment, alice: User, settings: Settings
) -> None:
    settings.OUTBOUND_NETWORKS = ()
    check = {"url": f"http://127.0.0.1:{free_port()}", "query": RATIO}
    release = released(development, alice, "2.7", check)
    assert said(release)[0] == "error"
    assert "AVIARY_OUTBOUND_NETWORKS" in said(release)[2]


def test_the_window__never_reaches_behind_the_steps_start(
    development: Environment, alice: User
) -> None:
    asked: list[bytes] = []

    def answer(request: Any) -> bytes:
        asked.append(request.body)
        return b'{"status":"success","data":{"resultType":"vector","result":[]}}'

    with serving(answering(answer)) as server:
        plan = PLAN | {"steps": [{"share": 5, "soak_s": 600}, {"share": 100}]}
        check = {"key": "prom", "kind": "prometheus", "threshold": 5, "period_s": 1}
        check |= {"url": server.url, "query": "rate(x[{{window}}])"}
        service = routed_by_flag(development, checks=(check,))
        release = tick(a_release(service, development, alice, plan=plan))
        assert said(release)[2] == "It is first asked 10 s after its step began."
        assert not any(b"query" in body for body in asked)
        for seconds in (40, 400):
            release = later(release, seconds)
    windows = [body for body in asked if b"query" in body]
    assert b"%5B4" in windows[0]  # 40 and some s
    assert b"%5B300s%5D" in windows[-1]
    assert said(later(release, 1))[0] == "error"  # it is gone
