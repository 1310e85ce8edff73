"""/health, /ready and /metrics."""

import pytest

from tests.flags.evaluator.publisher import flag
from tests.flags.evaluator.shop import Shop


def test_health_tells_what_is_served_and_how_fresh(shop: Shop) -> None:
    shop.open(flag("a"), flag("broken", rules="none"))
    answer = shop.evaluator.http.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert health["redis"] == {"connected": True}
    environments = {one["id"]: one for one in health["environments"]}
    mine = environments[shop.portal.environment_id]
    assert 0 <= mine.pop("staleness_s") < 3
    assert mine == {
        "id": shop.portal.environment_id,
        "project": "shop",
        "environment": shop.portal.environment,
        "epoch": shop.portal.epoch,
        "version": 1,
        "published_at": 1_800_000_000.5,
        "flags": 2,
        "broken_flags": 1,
    }


def test_ready_is_yes_once_something_can_be_served(shop: Shop) -> None:
    shop.open(flag("a"))
    answer = shop.evaluator.http.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


def test_metrics_count_requests_evaluations_and_versions(shop: Shop) -> None:
    shop.open(flag("a"))
    metric = shop.evaluator.metric
    where = {"environment": shop.portal.environment, "project": "shop"}
    requests = metric("requests_total", route="single", status="200")
    static = metric("evaluations_total", reason="STATIC")
    missing = metric("requests_total", route="single", status="404")
    shop.ask("a")
    shop.ask_all()
    shop.ask("unknown")
    assert metric("requests_total", route="single", status="200") == requests + 1
    assert metric("requests_total", route="single", status="404") == missing + 1
    assert metric("evaluations_total", reason="STATIC") == static + 2
    assert metric("environment_version", **where) == 1
    assert metric("flags", **where) == 1
    assert 0 <= metric("staleness_seconds", **where) < 3
    assert metric("redis_connected") == 1


def test_metrics_are_in_prometheus_text_format(shop: Shop) -> None:
    answer = shop.evaluator.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE aviary_evaluator_requests_total counter" in answer.text


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_pages_may_be_asked_for_their_head_and_not_posted_to(shop: Shop, path: str) -> None:
    shop.open(flag("a"))
    head = shop.evaluator.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    posted = shop.evaluator.http.post(path)
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
