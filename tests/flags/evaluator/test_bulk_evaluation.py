"""All flags: POST /ofrep/v1/evaluate/flags."""

import pytest

from tests.flags.evaluator.publisher import Key, flag, for_country
from tests.flags.evaluator.shop import FLAGS, Shop


def test_all_flags_come_sorted_and_as_the_single_answers(shop: Shop) -> None:
    flags = [flag("c", 1.0), flag("a", "x"), flag("B", {"k": 1}), flag("d", 5, enabled=False)]
    shop.open(*flags)
    answer = shop.ask_all()
    assert answer.status_code == 200
    items = answer.json()["flags"]
    assert [item["key"] for item in items] == ["B", "a", "c", "d"]
    assert items == [shop.ask(item["key"]).json() for item in items]
    assert '"value":1.0' in answer.text


def test_an_environment_without_flags_answers_none(shop: Shop) -> None:
    shop.open()
    assert shop.ask_all().json()["flags"] == []


def test_more_flags_than_are_evaluated_in_one_go_all_come(shop: Shop) -> None:
    shop.open(*(flag(f"flag-{number:04}") for number in range(600)))
    keys = [item["key"] for item in shop.ask_all().json()["flags"]]
    assert keys == [f"flag-{number:04}" for number in range(600)]


def test_one_bad_flag_is_one_failure_item(shop: Shop) -> None:
    halves = {"split": [{"variant": "on", "weight": 50000}, {"variant": "off", "weight": 50000}]}
    shop.open(flag("a"), flag("broken", rules="none"), flag("split", fallthrough=halves))
    first, broken, split = shop.ask_all().json()["flags"]
    assert first["value"] is True
    assert (broken["key"], broken["errorCode"]) == ("broken", "GENERAL")
    assert (split["key"], split["errorCode"]) == ("split", "TARGETING_KEY_MISSING")
    assert broken["errorDetails"]
    assert split["errorDetails"]


def test_an_unchanged_answer_is_not_sent_again(shop: Shop) -> None:
    shop.open(flag("a"))
    tag = shop.ask_all().headers["etag"]
    answer = shop.ask_all(tag=tag)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert answer.headers["x-aviary-version"] == str(shop.portal.version)
    assert answer.headers["last-modified"] == "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"other", {tag}', '"a,b" , W/{tag},', "*"])
def test_the_tag_is_compared_weakly_and_in_lists(shop: Shop, form: str) -> None:
    shop.open(flag("a"))
    tag = shop.ask_all().headers["etag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    assert shop.ask_all(tag=form.format(tag=tag)).status_code == 304


@pytest.mark.parametrize("form", ['"other"', '""', ",", "W/"])
def test_another_tag_gets_the_answer(shop: Shop, form: str) -> None:
    shop.open(flag("a"))
    assert shop.ask_all(tag=form).status_code == 200


def test_the_tag_changes_with_the_results_and_not_with_the_context(shop: Shop) -> None:
    shop.open(flag("a", rules=for_country("DE")))
    tag = shop.ask_all({"country": "FR"}).headers["etag"]
    assert shop.ask_all({"country": "IT"}, tag=tag).status_code == 304
    german = shop.ask_all({"country": "DE"}, tag=tag)
    assert german.status_code == 200
    assert german.json()["flags"][0]["value"] is False


def test_the_tag_changes_with_the_configuration(shop: Shop) -> None:
    shop.open(flag("a", "old"))
    tag = shop.ask_all().headers["etag"]
    shop.publish({"flag/a": flag("a", "new")})
    answer = shop.ask_all(tag=tag)
    assert answer.status_code == 200
    assert answer.json()["flags"][0]["value"] == "new"


def test_the_tag_of_one_kind_of_key_is_not_that_of_another(shop: Shop, client_key: Key) -> None:
    shop.open(flag("a", client_visible=True), keys=(client_key,))
    mine, public = shop.ask_all(), shop.ask_all(key=client_key)
    assert mine.json()["flags"] == public.json()["flags"]
    assert mine.headers["etag"] != public.headers["etag"]


def test_a_bad_body_is_a_failure_without_a_key(shop: Shop) -> None:
    shop.open(flag("a"))
    answer = shop.post(FLAGS, b"{")
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "PARSE_ERROR"
    assert "key" not in answer.json()
