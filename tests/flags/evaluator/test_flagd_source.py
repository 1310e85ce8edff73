"""The file that a flagd daemon fetches: GET /flagd/v1/flags.json."""

import httpx
import pytest

from tests.flags.evaluator.publisher import flag, for_country, new_key
from tests.flags.evaluator.shop import Shop
from tests.flags.transfer.exporters.flagd_cases import when
from tests.flags.transfer.exporters.flagd_model import Flagd

HALVES = {"split": [{"variant": "on", "weight": 50000}, {"variant": "off", "weight": 50000}]}
NOT_FOR_FLAGD = [{"id": "r", "when": when("matches", "email", "x$"), "serve": {"variant": "off"}}]


def fetch(shop: Shop, tag: str = "") -> httpx.Response:
    headers = {"If-None-Match": tag} if tag else {}
    address = "/flagd/v1/flags.json"
    return shop.evaluator.http.get(address, headers={**shop.key.headers, **headers})


def test_flagd__the_file__answers_as_the_evaluator(shop: Shop) -> None:
    segment = {"key": "testers", "included": ["u-1", "7"]}
    tested = [{"id": "r", "when": {"segment": "testers"}, "serve": {"variant": "off"}}]
    shop.portal.change({"segment/testers": segment})
    shop.open(
        flag("split", fallthrough=HALVES),
        flag("country", "x", rules=for_country("DE")),
        flag("off", 5, enabled=False),
        flag("tested", 1.5, rules=tested),
    )
    file = fetch(shop)
    assert file.headers["content-type"] == "application/json"
    document = file.json()
    assert "segment_testers" in document["$evaluators"]
    flagd = Flagd(document)
    for number in range(40):
        context = {"targetingKey": f"u-{number}", "country": "DE" if number % 3 else "FR"}
        for key in document["flags"]:
            answer = shop.ask(key, context).json()
            assert flagd.answer(key, context) == (answer["variant"], answer["value"])


def test_flagd__file_that_it_has__is_not_sent_again(shop: Shop) -> None:
    shop.open(flag("a"), flag("b"))
    first = fetch(shop)
    again = fetch(shop, first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    key = new_key()
    shop.publish({key.field: key.document})
    assert fetch(shop, first.headers["etag"]).status_code == 304
    shop.publish({"flag/a": flag("a", enabled=False)})
    changed = fetch(shop, first.headers["etag"])
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.json()["flags"]["a"]["defaultVariant"] == "off"


def test_flagd__what_a_flag_refers_to_changes__changes_the_file(shop: Shop) -> None:
    asking = [{"id": "r", "when": {"flag": "a", "variants": ["on"]}, "serve": {"variant": "off"}}]
    shop.open(flag("a", rules=for_country("DE")), flag("b", rules=asking))
    before = fetch(shop).json()["flags"]["b"]
    shop.publish({"flag/a": flag("a", rules=for_country("FR"))})
    assert fetch(shop).json()["flags"]["b"] != before
    shop.publish({"flag/a": None})
    assert "targeting" not in fetch(shop).json()["flags"]["b"]


def test_flagd__flags_that_it_cannot_have__are_named(shop: Shop) -> None:
    shop.open(flag("a"), flag("broken", rules="none"), flag("é,", rules=NOT_FOR_FLAGD))
    file = fetch(shop)
    assert list(file.json()["flags"]) == ["a"]
    assert file.json()["metadata"] == {
        "flagSetId": f"shop/{shop.portal.environment}",
        "leftOut": 2,
    }
    assert file.headers["x-aviary-left-out"] == "broken,%C3%A9%2C"


def test_flagd__many_left_out__the_header_stays_short(shop: Shop) -> None:
    shop.open(*(flag(f"flag-{number:04}", rules=NOT_FOR_FLAGD) for number in range(400)))
    named = fetch(shop).headers["x-aviary-left-out"]
    assert named.endswith(",...")
    assert len(named) < 2100


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_flagd__key_in_either_header__is_taken(shop: Shop, header: str) -> None:
    shop.open(flag("a"))
    token = f"Bearer {shop.key.token}" if header == "Authorization" else shop.key.token
    answer = shop.evaluator.http.get("/flagd/v1/flags.json", headers={header: token})
    assert answer.status_code == 200
