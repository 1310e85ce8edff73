"""One flag: POST /ofrep/v1/evaluate/flags/{key}."""

from urllib.parse import quote

import pytest

from tests.flags.evaluator.publisher import flag, for_country
from tests.flags.evaluator.shop import FLAGS, Shop

HALVES = {"split": [{"variant": "on", "weight": 50000}, {"variant": "off", "weight": 50000}]}


@pytest.mark.parametrize(
    ("value", "as_json"),
    [
        (True, "true"),
        ("blue", '"blue"'),
        (7, "7"),
        (1.0, "1.0"),
        ({"size": [1, "two", None]}, '{"size":[1,"two",null]}'),
    ],
)
def test_every_value_type_is_answered_exactly(shop: Shop, value: object, as_json: str) -> None:
    shop.open(flag("a", value))
    answer = shop.ask("a")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-aviary-version"] == str(shop.portal.version)
    assert "x-aviary-stale" not in answer.headers
    assert answer.text == (
        f'{{"key":"a","value":{as_json},"reason":"STATIC","variant":"on","metadata":{{"version":1}}}}'
    )


def test_a_disabled_flag_sends_its_off_value_with_variant_and_reason(shop: Shop) -> None:
    shop.open(flag("a", "blue", enabled=False))
    answer = shop.ask("a").json()
    assert (answer["value"], answer["variant"], answer["reason"]) == ("", "off", "DISABLED")


def test_the_context_decides(shop: Shop) -> None:
    shop.open(flag("a", rules=for_country("DE")))
    assert shop.ask("a", {"country": "DE"}).json()["reason"] == "TARGETING_MATCH"
    assert shop.value("a", {"country": "DE"}) is False
    assert shop.ask("a", {"country": "FR"}).json()["reason"] == "DEFAULT"
    assert shop.value("a", {"country": "FR"}) is True


def test_a_split_gives_each_person_their_own_receipt(shop: Shop) -> None:
    shop.open(flag("a", fallthrough=HALVES))
    answers = [shop.ask("a", {"targetingKey": f"u-{number}"}).json() for number in range(20)]
    assert {answer["reason"] for answer in answers} == {"SPLIT"}
    assert {answer["value"] for answer in answers} == {True, False}
    assert len({answer["metadata"]["bucketPoint"] for answer in answers}) > 10


def test_a_split_without_a_targeting_key_is_an_error_with_details(shop: Shop) -> None:
    shop.open(flag("a", fallthrough=HALVES))
    answer = shop.ask("a", {"country": "DE"})
    assert answer.status_code == 400
    assert answer.json()["key"] == "a"
    assert answer.json()["errorCode"] == "TARGETING_KEY_MISSING"
    assert answer.json()["errorDetails"]


def test_an_unknown_flag_is_not_found(shop: Shop) -> None:
    shop.open(flag("a"))
    answer = shop.ask("b")
    assert answer.status_code == 404
    assert answer.json() == {
        "key": "b",
        "errorCode": "FLAG_NOT_FOUND",
        "errorDetails": "flag 'b' was not found",
    }


@pytest.mark.parametrize("path", ["a/b", "a%2Fb", "a%2fb", "%61/b"])
def test_a_slash_in_a_key_may_be_encoded_or_not(shop: Shop, path: str) -> None:
    shop.open(flag("a/b"))
    body = b'{"context":{}}'
    head = shop.head_of(f"{FLAGS}/{path}", f"Content-Length: {len(body)}")
    status, _, answer = shop.send(head + body)
    assert (status, answer["key"], answer["value"]) == (200, "a/b", True)


@pytest.mark.parametrize("key", ["größe 50 %", "a%2Fb", "a+b", "a?b#c", "k" * 200, "日本"])
def test_any_key_is_decoded_exactly_once(shop: Shop, key: str) -> None:
    shop.open(flag(key))
    body = b'{"context":{}}'
    head = shop.head_of(f"{FLAGS}/{quote(key, safe='')}", f"Content-Length: {len(body)}")
    status, _, answer = shop.send(head + body)
    assert (status, answer["key"]) == (200, key)


@pytest.mark.parametrize("path", ["%ff", "%zz", "%", "a%00", "a%"])
def test_a_key_that_cannot_be_decoded_is_not_found(shop: Shop, path: str) -> None:
    shop.open(flag("a"))
    body = b'{"context":{}}'
    head = shop.head_of(f"{FLAGS}/{path}", f"Content-Length: {len(body)}")
    status, _, answer = shop.send(head + body)
    assert (status, answer["errorCode"]) == (404, "FLAG_NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", [FLAGS, f"{FLAGS}/a"])
def test_evaluations_are_posted_only(shop: Shop, method: str, path: str) -> None:
    answer = shop.evaluator.http.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["errorDetails"]


@pytest.mark.parametrize(
    "path", ["/", "/ofrep/v1/evaluate/flags/", "/ofrep/v1/evaluate/flagsa", "/ofrep/v2", "/admin"]
)
def test_any_other_path_is_not_found(shop: Shop, path: str) -> None:
    answer = shop.evaluator.http.post(path, json={"context": {}})
    assert answer.status_code == 404
    assert list(answer.json()) == ["errorDetails"]


@pytest.mark.parametrize("path", ["/x/../ofrep/v1/evaluate/flags/a", "//ofrep/v1/evaluate/flags/a"])
def test_paths_are_not_normalised_into_others(shop: Shop, path: str) -> None:
    request = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"
    assert shop.send(request.encode())[0] == 404


def test_a_flag_that_cannot_be_evaluated_leaves_the_others_alone(shop: Shop) -> None:
    shop.open(flag("broken", rules=[{"id": "r", "when": {"no": "such"}}]), flag("sound"))
    answer = shop.ask("broken")
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "GENERAL"
    assert answer.json()["errorDetails"].startswith("flag 'broken' cannot be evaluated: rules[0]")
    assert shop.value("sound") is True
    where = {"environment": shop.portal.environment, "project": "shop"}
    assert shop.evaluator.metric("broken_flags", **where) == 1


def test_a_broken_flag_works_again_once_mended(shop: Shop) -> None:
    shop.open(flag("a", off_variant="none such"))
    assert shop.ask("a").status_code == 400
    shop.publish({"flag/a": flag("a")})
    assert shop.value("a") is True
