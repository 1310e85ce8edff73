"""The stock OpenFeature client, as applications install it."""

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from tests.flags.evaluator.publisher import flag, for_country, new_key
from tests.flags.evaluator.shop import Shop

HALVES = {"split": [{"variant": "on", "weight": 50000}, {"variant": "off", "weight": 50000}]}
ALICE = EvaluationContext("alice", {"country": "DE"})


@pytest.fixture
def client(shop: Shop) -> Iterator[OpenFeatureClient]:
    shop.open(
        flag("boolean", True),
        flag("string", "blue"),
        flag("integer", 7),
        flag("number", 1.0),
        flag("object", {"size": 7}),
        flag("disabled", "on", enabled=False),
        flag("german", rules=for_country("DE")),
        flag("a/b", "slash"),
        flag("split", fallthrough=HALVES),
        flag("broken", rules="none"),
    )
    provider = OFREPProvider(shop.evaluator.url, headers_factory=lambda: shop.key.headers)
    api.set_provider(provider, shop.portal.environment)
    yield api.get_client(shop.portal.environment)
    provider.session.close()


def test_each_type_arrives_with_reason_and_variant(client: OpenFeatureClient) -> None:
    answers = (
        client.get_boolean_details("boolean", False, ALICE),
        client.get_string_details("string", "", ALICE),
        client.get_integer_details("integer", 0, ALICE),
        client.get_float_details("number", 0.0, ALICE),
        client.get_object_details("object", {}, ALICE),
    )
    assert [answer.value for answer in answers] == [True, "blue", 7, 1.0, {"size": 7}]
    assert [answer.error_code for answer in answers] == [None] * 5
    assert {answer.reason for answer in answers} == {Reason.STATIC}
    assert {answer.variant for answer in answers} == {"on"}
    assert answers[0].flag_metadata == {"version": 1}


def test_a_disabled_flag_arrives_as_its_off_value(client: OpenFeatureClient) -> None:
    answer = client.get_string_details("disabled", "default in the code", ALICE)
    assert (answer.value, answer.reason, answer.error_code) == ("", Reason.DISABLED, None)


def test_targeting_and_splits_arrive(client: OpenFeatureClient) -> None:
    assert client.get_boolean_value("german", True, ALICE) is False
    assert client.get_boolean_details("split", True, ALICE).reason == Reason.SPLIT
    assert client.get_string_value("a/b", "", ALICE) == "slash"


def test_no_context_at_all_is_fine(client: OpenFeatureClient) -> None:
    answer = client.get_boolean_details("german", False)
    assert (answer.value, answer.reason, answer.error_code) == (True, Reason.DEFAULT, None)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("no-such-flag", ErrorCode.FLAG_NOT_FOUND),
        ("split", ErrorCode.TARGETING_KEY_MISSING),
        ("broken", ErrorCode.GENERAL),
    ],
)
def test_errors_arrive_by_name(client: OpenFeatureClient, key: str, error: ErrorCode) -> None:
    answer = client.get_boolean_details(key, True)
    assert (answer.value, answer.error_code) == (True, error)
    assert answer.error_message


def test_a_wrong_key_leaves_the_default(shop: Shop) -> None:
    shop.open(flag("a"))
    stranger = OFREPProvider(shop.evaluator.url, headers_factory=lambda: new_key().headers)
    api.set_provider(stranger, "stranger")
    answer = api.get_client("stranger").get_boolean_details("a", False)
    assert (answer.value, answer.error_code) == (False, ErrorCode.GENERAL)
    stranger.session.close()
