"""Genuine documents that do not belong together, and keys of Redis that are nobody's."""

from collections.abc import Callable
from typing import cast

import pytest

from flags.channel import DOUBTS, REGISTRY, REGISTRY_STREAM, StreamEntry
from tests.flags.evaluator.publisher import flag, new_key
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until


def _doubt(shop: Shop) -> bytes | None:
    """What an evaluator left for the relay to look at: the head that it holds."""
    return cast("bytes | None", shop.portal.client.hget(DOUBTS, str(shop.portal.environment_id)))


def _set_back_one(shop: Shop, old: dict[str, bytes]) -> None:
    shop.portal.overwrite(documents={"flag/a": old["flag/a"]})


def _set_back_two(shop: Shop, old: dict[str, bytes]) -> None:
    shop.portal.overwrite(documents={"flag/a": old["flag/a"], "flag/b": old["flag/b"]})


def _leave_out(shop: Shop, old: dict[str, bytes]) -> None:
    """One flag away and a revoked key back, so that the number is right."""
    shop.portal.client.hdel(shop.portal.keys.documents, "flag/b")
    revoked = next(name for name in old if name.startswith("key/"))
    shop.portal.overwrite(documents={revoked: old[revoked]})


def _set_back_head_and_one(shop: Shop, old: dict[str, bytes]) -> None:
    shop.portal.overwrite(head=old["head"], documents={"flag/a": old["flag/a"]})


@pytest.mark.parametrize(
    "mix",
    [_set_back_one, _set_back_two, _leave_out, _set_back_head_and_one],
    ids=lambda m: m.__name__,
)
def test_a_mixture_of_genuine_documents_is_refused_by_an_evaluator_that_starts(
    own_shop: Shop, mix: Callable[[Shop, dict[str, bytes]], None]
) -> None:
    revoked = new_key()
    own_shop.open(flag("a", "old"), flag("b", "old"), keys=(revoked,))
    names = ("flag/a", "flag/b", revoked.field)
    old = {name: own_shop.portal.held_document(name) for name in names}
    old["head"] = own_shop.portal.held_head()
    own_shop.publish({"flag/a": flag("a", "new"), "flag/b": flag("b", "new"), revoked.field: None})
    mix(own_shop, old)
    with own_shop.evaluator.another(EVALUATOR_COPY_DIR="") as second:
        asked = Shop(own_shop.portal, second, own_shop.key)
        wait_until(lambda: _doubt(own_shop) == b"")
        assert second.refused("mismatch") + second.refused("incomplete") > 0
        assert asked.ask("a").status_code == 503
        cause = second.http.get("/health").json()["refused"][str(own_shop.portal.environment_id)]
        assert cause in ("mismatch", "incomplete")
        own_shop.portal.publish_full()
        asked.wait()
        assert asked.value("a") == "new"
        assert asked.ask("a", key=revoked).status_code == 401
        assert second.http.get("/health").json()["refused"] == {}
    assert own_shop.value("a") == "new"


def test_a_change_with_the_head_of_other_documents_is_refused(shop: Shop) -> None:
    shop.open(flag("a", "old"), flag("b", "old"))
    served, held = shop.served(), shop.portal.held_head()
    changes = shop.portal.change({"flag/a": flag("a", "new")})
    shop.portal.documents["flag/b"] = flag("b", "not what is there")
    head = shop.portal.seal_head()
    base = shop.portal.version - 1
    entry = StreamEntry(shop.portal.epoch, base, base + 1, head, tuple(changes.items()))
    before = shop.evaluator.refused("mismatch")
    shop.portal.run("delta", entry, changes, seen=held)
    wait_until(lambda: shop.evaluator.refused("mismatch") > before + 1)  # and the full load, too
    assert (shop.value("a"), shop.served()) == ("old", served)
    wait_until(lambda: _doubt(shop) == held)
    shop.portal.documents["flag/b"] = flag("b", "old")
    shop.portal.publish_full()
    shop.wait()
    assert shop.value("a") == "new"


def test_another_state_under_the_version_that_is_held_is_refused_and_told(shop: Shop) -> None:
    """Two histories came to the same number: only the relay can say which one is the database's."""
    shop.open(flag("a", "first history"))
    held = shop.portal.held_head()
    shop.portal.documents["flag/a"] = flag("a", "second history")
    shop.portal.publish_full()
    wait_until(lambda: _doubt(shop) == held)
    assert shop.value("a") == "first history"
    shop.portal.epoch += "-renewed"
    shop.portal.publish_full()
    shop.wait()
    assert shop.value("a") == "second history"


def test_a_version_lower_than_the_one_held_is_told(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    shop.publish({"flag/a": flag("a", "new")})
    held = shop.portal.held_head()
    shop.portal.version -= 1
    shop.portal.publish_full()
    wait_until(lambda: _doubt(shop) == held)
    assert shop.value("a") == "new"


@pytest.mark.parametrize("part", ["head", "documents", "stream"])
def test_a_key_of_a_wrong_type_is_the_trouble_of_its_environment_alone(
    shop: Shop, neighbour: Shop, part: str
) -> None:
    shop.open(flag("a", "old"))
    neighbour.open(flag("a", 0))
    name = getattr(shop.portal.keys, part)
    shop.portal.client.delete(name)
    shop.portal.client.zadd(name, {"x": 1})
    if part == "documents":
        shop.portal.version += 1
        shop.portal.overwrite(head=shop.portal.seal_head(), documents={})
    failures = shop.evaluator.metric("redis_failures_total")
    if part != "stream":
        wait_until(
            lambda: shop.evaluator.metric(
                "refusing", cause="malformed", id=str(shop.portal.environment_id)
            )
        )
        wait_until(lambda: _doubt(shop) is not None)
    reloads = shop.evaluator.metric("reloads_total")
    for number in range(1, 4):
        neighbour.publish({"flag/a": flag("a", number)})
    assert neighbour.value("a") == 3
    assert shop.evaluator.metric("reloads_total") == reloads  # by its stream, as ever
    assert shop.value("a") == "old"
    assert shop.evaluator.metric("redis_failures_total") == failures
    shop.portal.client.delete(name)
    shop.portal.publish_full()
    shop.publish({"flag/a": flag("a", "new")})


def test_the_list_of_environments_being_of_a_wrong_type_stops_nobody(own_shop: Shop) -> None:
    own_shop.open(flag("a", 0))
    for name in (REGISTRY, REGISTRY_STREAM):
        own_shop.portal.client.delete(name)
        own_shop.portal.client.zadd(name, {"x": 1})
    wait_until(
        lambda: own_shop.evaluator.http.get("/health").json()["refused"] == {"0": "malformed"}
    )
    own_shop.publish({"flag/a": flag("a", 1)})
    assert own_shop.value("a") == 1
    own_shop.portal.client.delete(REGISTRY, REGISTRY_STREAM)
    wait_until(lambda: own_shop.evaluator.http.get("/health").json()["refused"] == {})


def test_a_stream_that_ended_is_followed_again_once_it_is_mended(shop: Shop) -> None:
    shop.open(flag("a", 0))
    last = "18446744073709551615-18446744073709551615"
    shop.portal.client.xadd(shop.portal.keys.stream, {"x": "y"}, id=last)
    wait_until(lambda: _doubt(shop) is not None)
    shop.portal.client.delete(shop.portal.keys.stream)
    shop.publish({"flag/a": flag("a", 1)})  # found by comparing
    reloads = shop.evaluator.metric("reloads_total")
    shop.publish({"flag/a": flag("a", 2)})
    assert shop.evaluator.metric("reloads_total") == reloads
