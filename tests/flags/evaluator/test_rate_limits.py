"""Requests per second and key, where the key has a limit."""

import pytest
from hypothesis import given, strategies as st

from flags.evaluator.contents import ApiKey
from flags.evaluator.keys import RateLimits
from tests.flags.evaluator.publisher import flag, new_key
from tests.flags.evaluator.shop import FLAGS, Shop


def key_with(rate: int | None, burst: int | None = None) -> ApiKey:
    return ApiKey("k", "server", b"", (), None, rate, burst)


def test_requests_beyond_the_burst__are_a_429_that_says_when(shop: Shop) -> None:
    limited = new_key(rate=1, burst=3)
    shop.open(flag("a"), keys=(limited,))
    counted = shop.evaluator.metric("limited_total")
    answers = [shop.ask("a", key=limited) for _one in range(2)] + [
        shop.ask_all(key=limited) for _one in range(4)
    ]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:3]] == [200] * 3
    assert refused
    assert refused[0].headers["retry-after"] == "1"
    assert "1 requests per second" in refused[0].json()["errorDetails"]
    assert shop.evaluator.metric("limited_total") == counted + len(refused)
    assert shop.ask("a").status_code == 200, "other keys are not concerned"


def test_a_refused_page__may_read_why(shop: Shop) -> None:
    key = new_key("client", rate=1, burst=1, origins=["https://shop.example"])
    shop.open(flag("a"), keys=(key,))
    origin = {"Origin": "https://shop.example"}
    answers = [shop.post(FLAGS, {"context": {}}, key=key, headers=origin) for _one in range(3)]
    assert answers[-1].status_code == 429
    assert answers[-1].headers["access-control-allow-origin"] == "https://shop.example"


def test_a_limit_set_while_running__counts_from_then_on(shop: Shop) -> None:
    shop.open(flag("a"))
    assert {shop.ask("a").status_code for _one in range(20)} == {200}
    shop.publish({shop.key.field: {**shop.key.document, "rate": 1, "burst": 1}})
    assert 429 in {shop.ask("a").status_code for _one in range(3)}
    shop.publish({shop.key.field: shop.key.document})
    assert {shop.ask("a").status_code for _one in range(20)} == {200}


def test_without_a_limit__nothing_is_counted() -> None:
    assert {RateLimits().wait_s(key_with(None), now=0) for _one in range(1000)} == {0}


@pytest.mark.parametrize(("rate", "burst", "let_in"), [(1, None, 1), (10, None, 10), (10, 25, 25)])
def test_a_full_bucket__holds_the_burst_or_a_second(
    rate: int, burst: int | None, let_in: int
) -> None:
    limits, key = RateLimits(), key_with(rate, burst)
    waits = [limits.wait_s(key, now=5.0) for _one in range(let_in + 5)]
    assert waits == [0] * let_in + [1] * 5


@given(
    rate=st.integers(1, 1000),
    burst=st.integers(1, 2000),
    pauses=st.lists(st.floats(0, 3), max_size=60),
)
def test_over_any_time__no_more_pass_than_burst_and_rate_allow(
    rate: int, burst: int, pauses: list[float]
) -> None:
    limits, key, now, passed = RateLimits(), key_with(rate, burst), 0.0, 0
    for pause in pauses:
        now += pause
        wait_s = limits.wait_s(key, now=now)
        passed += wait_s == 0
        assert wait_s <= 1
    assert passed <= burst + rate * now + 1e-6
