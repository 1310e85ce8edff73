"""Event streams: GET /ofrep/v1/events, with the ticket of a bulk answer."""

import contextlib
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.flags.evaluator.listening import address, listening
from tests.flags.evaluator.publisher import Key, flag, new_key
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.flags.evaluator.shop import Shop
from tests.support.waiting import wait_until


def refused(shop: Shop, target: str) -> httpx.Response:
    return shop.evaluator.http.get(target)


def test_a_change_is_told_and_the_named_configuration_is_what_is_answered(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    with listening(shop) as ear:
        assert ear.response.headers["content-type"] == "text/event-stream"
        assert ear.response.headers["cache-control"] == "no-store"
        for value in ("new", "newer"):
            shop.portal.publish({"flag/a": flag("a", value)})
            told = ear.hear()
            assert told["type"] == "refetchEvaluation"
            assert told["id"] == told["etag"] == f"{shop.portal.epoch}.{shop.portal.version}"
            assert told["lastModified"] == 1_800_000_000
            assert shop.value("a") == value


def test_a_key_made_or_revoked_is_told_to_nobody_else(shop: Shop) -> None:
    another = new_key()
    shop.open(flag("a"))
    with listening(shop) as ear:
        shop.publish({another.field: another.document})
        shop.publish({another.field: None})
        shop.publish({"flag/a": flag("a", "new")})
        assert ear.hear()["etag"].endswith(f".{shop.portal.version}")


def test_what_was_missed_is_told_once_on_return(shop: Shop) -> None:
    shop.open(flag("a", 1))
    target = address(shop)
    with listening(shop, target) as ear:
        shop.publish({"flag/a": flag("a", 2)})
        last = ear.hear()["id"]
    shop.publish({"flag/a": flag("a", 3)})
    shop.publish({"flag/a": flag("a", 4)})
    with listening(shop, target, **{"Last-Event-ID": last}) as ear:
        missed = ear.hear()["id"]
        assert missed.endswith(f".{shop.portal.version}")
        shop.publish({"flag/a": flag("a", 5)})
        assert ear.hear()["id"] != missed


@pytest.mark.parametrize("how", ["header", "query"])
def test_nothing_missed_is_nothing_told(shop: Shop, how: str) -> None:
    shop.open(flag("a", 1))
    target, seen = address(shop), f"{shop.portal.epoch}.{shop.portal.version}"
    headers = {"Last-Event-ID": seen} if how == "header" else {}
    with listening(shop, target, **headers) as ear:
        shop.publish({"flag/a": flag("a", 2)})
        assert ear.hear()["id"].endswith(f".{shop.portal.version}")


def test_a_change_between_the_answer_and_the_stream_is_told(shop: Shop) -> None:
    shop.open(flag("a", 1))
    target = address(shop)
    shop.publish({"flag/a": flag("a", 2)})
    with listening(shop, target) as ear:
        assert ear.hear()["id"].endswith(f".{shop.portal.version}")


def test_an_instant_at_which_answers_change_is_told(shop: Shop) -> None:
    """Nobody publishes anything: the rule itself knows when."""
    at = time.time() + 1.5
    when = {"attribute": "$now", "operator": "gte", "values": [at]}
    rules = [{"id": "late", "when": when, "serve": {"variant": "off"}}]
    shop.open(flag("sale", "early", rules=rules))
    with listening(shop) as ear:
        before = shop.ask_all()
        assert ear.hear()["type"] == "refetchEvaluation"
        after = shop.ask_all(tag=before.headers["etag"])
    assert (before.json()["flags"][0]["value"], after.json()["flags"][0]["value"]) == ("early", "")


def test_the_address_stays_the_same_while_nothing_changes(shop: Shop, client_key: Key) -> None:
    shop.open(flag("a"), keys=(client_key,))
    assert address(shop) == address(shop)
    assert address(shop) != address(shop, client_key)
    assert shop.key.token not in address(shop)


def test_a_ticket_changed_in_any_part_opens_nothing(shop: Shop, neighbour: Shop) -> None:
    shop.open(flag("a"))
    neighbour.open(flag("b"))
    (ticket,) = parse_qs(urlsplit(address(shop)).query)["ticket"]
    selector, environment, expiry, signature = ticket.split(".")
    forged = [
        f"{neighbour.key.selector}.{environment}.{expiry}.{signature}",
        f"{selector}.{neighbour.portal.environment_id}.{expiry}.{signature}",
        f"{selector}.{environment}.{int(expiry) + 1}.{signature}",
        f"{selector}.{environment}.{expiry}.{signature[:-1]}",
        f"{selector}.{environment}.{expiry}.",
        "a.b.c.d",
        "é",
        "",
    ]
    for one in forged:
        answer = shop.evaluator.http.get("/ofrep/v1/events", params={"ticket": one})
        assert answer.status_code == 401
        assert "evaluate again" in answer.json()["errorDetails"]


def test_a_revoked_key_ends_its_streams_and_opens_no_other(shop: Shop, client_key: Key) -> None:
    shop.open(flag("a", client_visible=True), keys=(client_key,))
    target = address(shop, client_key)
    with listening(shop, target) as ear, listening(shop) as other:
        shop.publish({client_key.field: None})
        assert ear.hears_the_end()
        shop.publish({"flag/a": flag("a", "new")})
        assert other.hear()
    assert refused(shop, target).status_code == 401


def test_a_key_that_expires_ends_its_streams(shop: Shop) -> None:
    brief = new_key(expires_at=time.time() + 1.5)
    shop.open(flag("a"), keys=(brief,))
    target = address(shop, brief)
    with listening(shop, target) as ear:
        assert ear.hears_the_end()
    assert refused(shop, target).status_code == 401


def test_another_process_takes_the_ticket_too(shop: Shop, evaluator: EvaluatorProcess) -> None:
    shop.open(flag("a"))
    target = address(shop)
    with evaluator.another() as second:
        second.wait_until_ready()
        with listening(Shop(shop.portal, second, shop.key), target) as ear:
            shop.publish({"flag/a": flag("a", "new")})
            assert ear.hear()


def test_streams_end_when_the_process_does(own_shop: Shop, own_evaluator: EvaluatorProcess) -> None:
    own_shop.open(flag("a"))
    with listening(own_shop) as ear:
        assert own_evaluator.metric("streams") == 1
        assert own_evaluator.stop() == 0
        assert ear.hears_the_end()
    assert "exceeded" not in own_evaluator.log()
    own_evaluator.start()  # for the fixture to stop


def test_streams_are_counted_while_they_are_open(
    own_shop: Shop, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    with contextlib.ExitStack() as stack:
        ears = [stack.enter_context(listening(own_shop)) for _one in range(3)]
        assert own_evaluator.metric("streams") == 3
        own_shop.publish({"flag/a": flag("a", "new")})
        assert all(ear.hear() for ear in ears)
        assert own_evaluator.metric("events_sent_total") == 3
    wait_until(lambda: own_evaluator.metric("streams") == 0)
