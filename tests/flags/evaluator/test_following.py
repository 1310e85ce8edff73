"""How a change reaches the evaluator."""

import time

from flags import channel
from tests.flags.evaluator.publisher import flag, new_key
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until


def test_a_change_is_served_as_soon_as_it_is_published(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    reloads = shop.evaluator.metric("reloads_total")
    shop.portal.publish({"flag/a": flag("a", "new")})
    published_at = time.monotonic()
    wait_until(lambda: shop.value("a") == "new")
    assert time.monotonic() - published_at < 0.5
    assert shop.evaluator.metric("reloads_total") == reloads


def test_flags_are_added_and_removed(shop: Shop) -> None:
    shop.open(flag("a"))
    shop.publish({"flag/b": flag("b"), "flag/a": None})
    assert shop.ask("a").status_code == 404
    assert shop.value("b") is True
    shop.publish({"flag/a": flag("a")})
    assert shop.value("a") is True


def test_many_changes_in_a_row_all_arrive(shop: Shop) -> None:
    shop.open(flag("a", 0))
    for number in range(1, 301):
        shop.portal.publish({"flag/a": flag("a", number), f"flag/{number}": flag(str(number))})
    shop.wait()
    assert shop.value("a") == 300
    assert len(shop.ask_all().json()["flags"]) == 301


def test_a_change_missing_from_the_stream_leads_to_a_full_load(shop: Shop) -> None:
    shop.open(flag("a", "old"), flag("b", "old"))
    missed = shop.portal.change({"flag/a": flag("a", "new")})
    seen = shop.portal.held_head()
    changes = shop.portal.change({"flag/b": flag("b", "new")})
    entry = shop.portal.entry(tuple(changes.items()))
    shop.portal.run("delta", entry, {**missed, **changes}, seen=seen)
    shop.wait()
    assert (shop.value("a"), shop.value("b")) == ("new", "new")


def test_a_change_too_large_for_the_stream_is_loaded(shop: Shop) -> None:
    shop.open(flag("a", "old"), flag("b"))
    seen = shop.portal.held_head()
    changes = shop.portal.change({"flag/a": flag("a", "new"), "flag/b": None})
    stored = {"flag/a": changes["flag/a"], "flag/b": b""}
    shop.portal.run("delta", shop.portal.entry(None), stored, seen=seen)
    shop.wait()
    assert shop.value("a") == "new"
    assert shop.ask("b").status_code == 404


def test_a_change_that_the_stream_never_tells_is_found_by_comparing(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    changes = shop.portal.change({"flag/a": flag("a", "new")})
    shop.portal.overwrite(head=shop.portal.seal_head(), documents=changes)
    shop.wait()
    assert shop.value("a") == "new"


def test_a_stream_entry_that_cannot_be_read_does_no_harm(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    shop.portal.announce({"x": b"y"})
    entry = {"epoch": b"e", "base": b"1", "version": b"2", "head": b""}
    for changes in (
        {"base": b"one"},
        {"epoch": b"\xff"},
        {"changes": b"[1, 2]"},
        {"changes": b"{"},
        {"changes": b"[" + b'["flag/x","y"],' * 100_000 + b'["flag/x","y"]]'},
    ):
        shop.portal.announce({**entry, **changes})
    shop.publish({"flag/a": flag("a", "new")})
    assert shop.value("a") == "new"


def test_the_stream_being_deleted_does_no_harm(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    shop.portal.client.delete(shop.portal.keys.stream)
    shop.publish({"flag/a": flag("a", "new")})
    assert shop.value("a") == "new"


def test_an_environment_created_while_running_is_served_at_once(shop: Shop) -> None:
    started_at = time.monotonic()
    shop.open(flag("a"))
    assert shop.value("a") is True
    assert time.monotonic() - started_at < 1


def test_a_new_epoch_starts_over_even_with_lower_versions(shop: Shop) -> None:
    shop.open(flag("a", "old"), flag("gone"))
    for _ in range(5):
        shop.publish({"flag/a": flag("a", "newer")})
    shop.portal.epoch, shop.portal.version = shop.portal.epoch + "-restored", 1
    shop.portal.documents["flag/a"] = flag("a", "restored")
    del shop.portal.documents["flag/gone"]
    shop.portal.publish_full()
    shop.wait()
    assert shop.value("a") == "restored"
    assert shop.ask("gone").status_code == 404
    shop.publish({"flag/a": flag("a", "onwards")})
    assert shop.value("a") == "onwards"


def test_fields_of_a_later_portal_are_carried_along(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    shop.publish({"segment/beta": {"keys": ["u-1"]}, "flag/a": flag("a", "new")})
    assert shop.value("a") == "new"
    shop.publish({"segment/beta": None})


def test_an_entry_of_the_registry_that_is_no_environment_is_ignored(shop: Shop) -> None:
    shop.portal.client.hset(channel.REGISTRY, mapping={"x": "y", "999999": "no/documents"})
    shop.open(flag("a"))
    assert shop.value("a") is True
    assert shop.ask("a", key=new_key()).status_code == 401


def test_versions_never_go_back(shop: Shop) -> None:
    shop.open(flag("a", 0))
    first = shop.portal.held_head()
    seen = []
    for number in range(1, 100):
        shop.portal.publish({"flag/a": flag("a", number)})
        answer = shop.ask("a")
        seen.append((int(answer.headers["x-aviary-version"]), answer.json()["value"]))
    shop.wait()
    shop.portal.overwrite(head=first, documents={})
    wait_until(lambda: shop.evaluator.refused("older_version") > 0)
    answer = shop.ask("a")
    seen.append((int(answer.headers["x-aviary-version"]), answer.json()["value"]))
    assert seen == sorted(seen)
    assert seen[-1] == (100, 99)
