"""Redis fails in every way; applications notice nothing."""

import time

from tests.flags.evaluator.publisher import Publisher, flag, new_key
from tests.flags.evaluator.servers import DEADLINE_S, EvaluatorProcess, RedisServer
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until


def _is_connected(shop: Shop) -> bool:
    return bool(shop.evaluator.health()["redis"]["connected"])


def test_a_killed_redis_that_comes_back_empty_is_followed_again(
    own_redis: RedisServer, own_shop: Shop
) -> None:
    own_shop.open(flag("a", "old"))
    served = own_shop.served()
    own_redis.kill()
    wait_until(lambda: not _is_connected(own_shop))
    assert own_shop.value("a") == "old"
    own_redis.start()
    wait_until(lambda: _is_connected(own_shop))
    assert own_shop.value("a") == "old"
    assert own_shop.ask("a", key=new_key()).status_code == 401
    assert own_shop.evaluator.is_ready()
    own_shop.portal.publish_full()
    returned_at = time.monotonic()
    own_shop.publish({"flag/a": flag("a", "new")})
    assert own_shop.value("a") == "new"
    assert time.monotonic() - returned_at < 3
    assert own_shop.served() > served  # type: ignore[operator]  # both are served


def test_a_frozen_redis_slows_nobody_down_and_staleness_is_told(
    own_redis: RedisServer, own_shop: Shop
) -> None:
    own_shop.open(flag("a", "old"))
    own_redis.freeze()
    try:
        assert _share_of_time_in_slow_answers(own_shop) < 0.25
        health = own_shop.evaluator.health()
        assert health["status"] == "stale"
        assert health["environments"][0]["staleness_s"] > 3
    finally:
        own_redis.thaw()
    own_shop.portal.publish({"flag/a": flag("a", "new")})
    own_shop.wait()
    assert own_shop.value("a") == "new"
    wait_until(lambda: "x-aviary-stale" not in own_shop.ask("a").headers)


def _share_of_time_in_slow_answers(shop: Shop) -> float:
    """Ask again and again until an answer says that it is stale.

    An evaluator that waited for Redis would spend half of each second in its timeout; a busy
    machine makes an answer slow now and then, too, so one alone says nothing.
    """
    started_at, slow_s = time.monotonic(), 0.0
    while time.monotonic() - started_at < DEADLINE_S:
        answer = shop.ask("a")
        assert answer.status_code == 200
        taken_s = answer.elapsed.total_seconds()
        slow_s += taken_s if taken_s > 0.1 else 0
        if int(answer.headers.get("x-aviary-stale", 0)) >= 3:
            return slow_s / (time.monotonic() - started_at)
    raise AssertionError("no answer said that it is stale")


def test_connections_cut_by_redis_lose_no_change(own_portal: Publisher, own_shop: Shop) -> None:
    own_shop.open(flag("a", 0))
    for number in range(1, 21):
        own_portal.client.client_kill_filter(_type="normal", skipme=True)
        own_portal.publish({"flag/a": flag("a", number)})
    own_shop.wait()
    assert own_shop.value("a") == 20


def test_an_evaluator_that_slept_through_changes_catches_up(own_shop: Shop) -> None:
    own_shop.open(flag("a", 0))
    own_shop.evaluator.freeze()
    try:
        for number in range(1, 1501):
            own_shop.portal.publish({"flag/a": flag("a", number)})
    finally:
        own_shop.evaluator.thaw()
    own_shop.wait()
    assert own_shop.value("a") == 1500


def test_a_cold_evaluator_answers_503_until_there_is_something_to_serve(own_shop: Shop) -> None:
    wait_until(lambda: _is_connected(own_shop))
    assert not own_shop.evaluator.is_ready()
    answer = own_shop.ask("a")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert list(answer.json()) == ["errorDetails"]
    own_shop.open(flag("a"))
    assert own_shop.evaluator.is_ready()
    assert own_shop.value("a") is True


def test_a_key_may_belong_to_an_environment_that_could_not_be_loaded(
    own_portal: Publisher, own_shop: Shop
) -> None:
    own_shop.open(flag("a"))
    unloadable = Publisher(own_portal.client)
    unloadable.start(flag("b"))
    own_portal.client.hdel(unloadable.keys.documents, "flag/b")
    with own_shop.evaluator.another() as second:
        asked = Shop(own_portal, second, own_shop.key)
        wait_until(second.is_ready)
        assert asked.value("a") is True
        assert asked.ask("b", key=new_key()).status_code == 503
        own_portal.client.hset(
            unloadable.keys.documents, "flag/b", unloadable.seal("flag/b", flag("b"))
        )
        wait_until(lambda: asked.ask("b", key=new_key()).status_code == 401)


def test_an_evaluator_started_before_redis_waits_for_it(
    own_redis: RedisServer, own_evaluator: EvaluatorProcess, own_shop: Shop
) -> None:
    own_redis.kill()
    with own_evaluator.another() as second:
        late = Shop(own_shop.portal, second, own_shop.key)
        assert second.http.get("/ready").status_code == 503
        assert second.health()["status"] == "empty"
        own_redis.start()
        late.open(flag("a"))
        assert late.value("a") is True
