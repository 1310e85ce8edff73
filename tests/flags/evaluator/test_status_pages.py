"""/health, /ready and /metrics."""

import pytest

from tests.flags.evaluator.publisher import Key, Publisher, flag, new_key
from tests.flags.evaluator.servers import MONITORING
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until


def test_health_tells_what_is_served_and_how_fresh(shop: Shop) -> None:
    shop.open(flag("a"), flag("broken", rules="none"))
    health = shop.evaluator.health()
    assert health["redis"] == {"connected": True, "writable": True}
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
        "source": "redis",
        "trouble": None,
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


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_names_of_environments__are_for_who_proves_to_be_allowed(
    shop: Shop, neighbour: Shop, client_key: Key, path: str
) -> None:
    shop.open(flag("a"), keys=(client_key,))
    neighbour.open(flag("b"))
    mine, other = shop.portal.environment, neighbour.portal.environment

    def seen(headers: dict[str, str]) -> tuple[bool, bool]:
        text = shop.evaluator.http.get(path, headers=headers).text
        assert "not_loaded" in text  # the sums are for everybody
        return f'"{mine}"' in text, f'"{other}"' in text

    assert seen(MONITORING) == (True, True)
    assert seen(shop.key.headers) == (True, False)
    assert seen({"X-API-Key": neighbour.key.token}) == (False, True)
    for nobody in ({}, client_key.headers, new_key().headers, {"Authorization": "Bearer x"}):
        assert seen(nobody) == (False, False)


def test_ready_for_one_environment__is_told_to_who_may_know(shop: Shop, neighbour: Shop) -> None:
    shop.open(flag("a"))
    neighbour.open(flag("b"))

    def ask(place: str, headers: dict[str, str], project: str = "shop") -> int:
        query = {"project": project, "environment": place}
        return shop.evaluator.http.get("/ready", params=query, headers=headers).status_code

    mine = shop.portal.environment
    assert ask(mine, MONITORING) == ask(mine, shop.key.headers) == 200
    assert ask(mine, {}) == 401
    assert ask(mine, neighbour.key.headers) == ask("none", MONITORING) == 404
    assert shop.evaluator.http.get("/ready?project=shop", headers=MONITORING).status_code == 400


def test_environment_that_cannot_be_loaded__shows_and_holds_up_no_other(own_shop: Shop) -> None:
    own_shop.open(flag("a"))
    broken = Shop(Publisher(own_shop.portal.client), own_shop.evaluator, new_key())
    broken.portal.start(flag("b"))
    broken.portal.client.set(broken.portal.keys.head, broken.portal.seal_head(documents=9))
    # Without copies: the first one may have made one of it before it was broken.
    with own_shop.evaluator.another(EVALUATOR_COPY_DIR="") as second:
        second.wait_until_ready()
        wait_until(lambda: second.health()["totals"]["not_loaded"] == 1)
        assert second.health()["status"] == "degraded"
        assert second.metric("environments_not_loaded") == 1
        query = {"project": "shop", "environment": broken.portal.environment}
        answer = second.http.get("/ready", params=query, headers=MONITORING)
        assert answer.status_code == 503


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_pages_may_be_asked_for_their_head_and_not_posted_to(shop: Shop, path: str) -> None:
    shop.open(flag("a"))
    head = shop.evaluator.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    posted = shop.evaluator.http.post(path)
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
