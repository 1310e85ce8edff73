"""``POST /api/v1/telemetry``: what counts, what is rejected and why, and what counts once."""

import json
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis

from flags.channel import TELEMETRY, read_telemetry
from flags.channel.telemetry import Counts
from flags.evaluator import entries, outcomes, telemetry
from tests.flags.evaluator.publisher import Key, Publisher, flag, for_country, new_key
from tests.flags.evaluator.servers import SNAPSHOT_KEY, EvaluatorProcess, RedisServer
from tests.flags.evaluator.shop import Shop
from tests.support import waiting_batches
from tests.support.waiting import wait_until

PATH = "/api/v1/telemetry"
V2: dict[str, Any] = {"service": "checkout", "version": "2.0"}
OUT_OF: dict[str, Any] = {"flag": "german", "context": {"targetingKey": "u", "country": "DE"}}


def tell(shop: Shop, *told: object, key: Key | None = None, **more: object) -> dict[str, Any]:
    answer = post(shop, {"outcomes": told, **more}, key=key)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def post(shop: Shop, body: object, *, key: Key | None = None, **more: Any) -> httpx.Response:
    return shop.post(PATH, body, key=key, **more)


def counted(client: redis.Redis, shop: Shop) -> dict[tuple[str, str, bool], Counts]:
    """What waits for the worker of one environment, by name, version and kind of key."""
    found: dict[tuple[str, str, bool], Counts] = defaultdict(Counts)
    batches = waiting_batches.read(client, TELEMETRY, SNAPSHOT_KEY.encode())
    for batch in {one.id: one for one in batches}.values():
        for place, counts in read_telemetry(batch) if batch.content else ():
            environment_id, _about, name, version, by_client, _start = place
            if environment_id == shop.portal.environment_id:
                found[name, version, by_client].merge(counts)
    return found


def requests(client: redis.Redis, shop: Shop) -> dict[tuple[str, str, bool], int]:
    return {key: one.requests for key, one in counted(client, shop).items()}


def arrive(client: redis.Redis, shop: Shop, total: int) -> dict[tuple[str, str, bool], int]:
    """What is counted once so many outcomes have come."""
    wait_until(lambda: sum(requests(client, shop).values()) >= total)
    return requests(client, shop)


@pytest.fixture(autouse=True)
def taken(redis_client: redis.Redis) -> None:
    """What came before is taken, as a worker would: of a stream that nobody reads for half a minute
    the evaluator thinks that the worker is away, and sends once a minute."""
    redis_client.delete(TELEMETRY.stream)


@pytest.fixture
def opened(shop: Shop, client_key: Key) -> Shop:
    german = flag("german", rules=for_country("DE"), client_visible=True)
    named = flag("named", variants=[{"key": "on", "value": True, "served_as": "v1"}] * 1)
    named["variants"] = [*named["variants"], {"key": "off", "value": False}]  # type: ignore[misc]
    split = {"split": [{"variant": "on", "weight": 50000}, {"variant": "off", "weight": 50000}]}
    shop.open(
        german,
        named,
        flag("split", fallthrough=split),
        flag("broken", rules="none"),
        flag("dice", fallthrough=split | {"bucket_by": "$random"}),
        flag("code", fallthrough={"code_default": True}),
        keys=(client_key,),
    )
    return shop


def test_outcomes__count_by_what_they_name(opened: Shop, redis_client: redis.Redis) -> None:
    now = time.time()
    told = [
        V2 | {"count": 5, "errors": 2, "error_type": "timeout", "at": now - 60},
        V2 | {"error": True, "at": datetime.fromtimestamp(now, UTC).isoformat()},
        V2 | {"durations_ms": [1, 2.5, 0], "value": -2},
        V2 | {"count": 4, "duration_ms": 10, "error": False, "value": 3.5},
        {"flag": "german", "variant": "on"},
        {"flag": "named", "variant": "v1"},
        {"flag": "named", "variant": "on"},
        OUT_OF | {"errors": 1},
        {"flag": "german", "context": {}},
    ]
    answer = tell(opened, *told)
    assert answer == {"accepted": 9, "rejected": []}
    arrive(redis_client, opened, 18)
    found = counted(redis_client, opened)
    checkout = found["checkout", "2.0", False]
    assert (checkout.requests, checkout.errors, checkout.error_types) == (13, 3, {"timeout": 2})
    assert (sum(checkout.durations.values()), checkout.values, checkout.value_sum) == (7, 2, 1.5)
    assert max(checkout.durations.values()) == 4
    others = {key: (one.requests, one.errors) for key, one in found.items() if key[0] != "checkout"}
    assert others == {
        ("german", "on", False): (2, 0),
        ("german", "off", False): (1, 1),
        ("named", "on", False): (2, 0),
    }


YEAR = 366 * 24 * 3600
BAD: list[tuple[object, str]] = [
    (None, entries.NO_OBJECT),
    ([V2], entries.NO_OBJECT),
    ({}, entries.NOTHING),
    ({"version": "2.0"}, entries.NOTHING),
    ({"context": {}}, entries.NOTHING),
    (V2 | {"flag": "german"}, entries.BOTH),
    (V2 | {"verison": 1}, "an outcome has no field 'verison'"),
    ({"service": "checkout"}, entries.OF_SERVICE),
    (V2 | {"variant": "on"}, entries.OF_SERVICE),
    (V2 | {"context": {}}, entries.OF_SERVICE),
    (V2 | {"synthetic": 1}, entries.NO_SYNTHETIC),
    ({"flag": "new-checkout", "variant": "on", "synthetic": True}, entries.NO_SYNTHETIC),
    ({"service": "", "version": "1"}, "service must be a text of 1 to 200 printable characters"),
    ({"service": 7, "version": "1"}, "service must be a text of 1 to 200 printable characters"),
    (V2 | {"version": "x" * 101}, "version must be a text of 1 to 100 printable characters"),
    (V2 | {"version": "a\nb"}, "version must be a text of 1 to 100 printable characters"),
    ({"flag": "german"}, entries.OF_FLAG),
    (OUT_OF | {"variant": "on"}, entries.OF_FLAG),
    (OUT_OF | {"version": "1"}, entries.OF_FLAG),
    (OUT_OF | {"context": []}, entries.NO_CONTEXT),
    (OUT_OF | {"context": {"targetingKey": 7}}, entries.NO_CONTEXT),
    ({"flag": "none", "context": {}}, "there is no flag 'none' here"),
    ({"flag": "none", "variant": "on"}, "there is no flag 'none' here"),
    ({"flag": "german", "variant": "up"}, "the flag 'german' has no variant 'up'"),
    ({"flag": "broken", "context": {}}, "the flag 'broken' cannot be evaluated"),
    ({"flag": "split", "context": {}}, "the flag 'split' cannot be evaluated for that context"),
    ({"flag": "dice", "context": {}}, telemetry.BY_CHANCE),
    ({"flag": "code", "context": {}}, telemetry.NO_VARIANT),
    (V2 | {"at": "2026-01-01T00:00:00"}, entries.NO_INSTANT),
    (V2 | {"at": "yesterday"}, entries.NO_INSTANT),
    (V2 | {"at": "0001-01-01T00:00:00+23:00"}, entries.TOO_OLD),
    (V2 | {"at": True}, entries.NO_INSTANT),
    (V2 | {"at": time.time() - YEAR}, entries.TOO_OLD),
    (V2 | {"at": -1e300}, entries.TOO_OLD),
    (V2 | {"at": (datetime.now(UTC) - timedelta(minutes=16)).isoformat()}, entries.TOO_OLD),
    (V2 | {"at": time.time() + YEAR}, entries.TOO_NEW),
    (V2 | {"at": 1000 * time.time()}, entries.TOO_NEW),
    *((V2 | {"count": one}, entries.NO_COUNT) for one in (0, -1, 1.0, True, "1", 10**10)),
    *((V2 | {"count": 2, "errors": one}, entries.NO_ERRORS) for one in (-1, 3, 0.5, False)),
    *((V2 | {"error": one}, entries.NO_ERROR) for one in (1, "yes")),
    (V2 | {"error": True, "errors": 1}, entries.NO_ERROR),
    *((V2 | {"error": True, "error_type": one}, entries.NO_TYPE) for one in ("", 500, "x" * 101)),
    (V2 | {"error_type": "timeout"}, entries.TYPE_ALONE),
    *((V2 | {"duration_ms": one}, entries.NO_DURATION) for one in (-0.1, 1e10, "1", True)),
    (V2 | {"duration_ms": 1, "durations_ms": [1]}, entries.TWO_DURATIONS),
    (V2 | {"durations_ms": []}, entries.DURATIONS),
    (V2 | {"durations_ms": [1, -1]}, entries.NO_DURATION),
    (V2 | {"durations_ms": [1, 2], "count": 1}, entries.MORE_DURATIONS),
    *((V2 | {"value": one}, entries.NO_VALUE) for one in (1e300, "1", True)),
]


def test_a_bad_outcome__is_told_why_and_takes_no_other_along(
    opened: Shop, redis_client: redis.Redis
) -> None:
    answer = tell(opened, *(one for one, _why in BAD), V2)
    assert answer["rejected"] == [
        {"index": index, "error": why} for index, (_one, why) in enumerate(BAD)
    ]
    assert answer["accepted"] == 1
    assert arrive(redis_client, opened, 1) == {("checkout", "2.0", False): 1}


ONE = json.dumps(V2)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "the body is not valid JSON"),
        ("[]", "send {"),
        ("{}", "send {"),
        ('{"outcomes": {}}', "send {"),
        ('{"outcomes": [], "service": "x"}', "a batch has no field 'service'"),
        ('{"outcomes": [], "batch_id": ""}', "batch_id must be"),
        ('{"outcomes": [], "batch_id": 7}', "batch_id must be"),
        (f'{{"outcomes": [], "batch_id": "{"x" * 201}"}}', "batch_id must be"),
        (f'{{"outcomes": [{ONE[:-1]}, "duration_ms": NaN}}]}}', "the body is not valid JSON"),
        (f'{{"outcomes": [{ONE[:-1]}, "duration_ms": 1e400}}]}}', "the body is not valid JSON"),
        (f'{{"outcomes": [{ONE[:-1]}, "service": "pay"}}]}}', "a duplicate member 'service'"),
        (f'{{"outcomes": [{ONE[:-1]}, "error_type": "\\u0000"}}]}}', "a NUL character"),
        (f'{{"outcomes": [{ONE[:-1]}, "error_type": "\\ud800"}}]}}', "the body is not valid JSON"),
        ('{"outcomes": ' + "[" * 70 + "]" * 70 + "}", "nest lists and objects at most 64 deep"),
        ('{"outcomes": ' + "[" * 100_000, "the body is not valid JSON"),
    ],
)
def test_a_body_that_is_no_batch__is_refused_as_a_whole(opened: Shop, body: str, why: str) -> None:
    answer = post(opened, body.encode())
    assert answer.status_code == 400
    assert why in answer.json()["errorDetails"]


def test_a_batch_that_is_too_large__is_refused_as_a_whole(opened: Shop) -> None:
    limits = {"EVALUATOR_TELEMETRY_BYTES": "1000", "EVALUATOR_TELEMETRY_OUTCOMES": "3"}
    with opened.evaluator.another(**limits) as strict:
        shop = Shop(opened.portal, strict, opened.key)
        shop.wait()
        for body in ({"outcomes": [V2] * 4}, {"outcomes": [V2], "batch_id": "x" * 1000}):
            answer = post(shop, body)
            assert answer.status_code == 413
            assert answer.json()["errorDetails"]
        assert tell(shop, V2, V2, V2)["accepted"] == 3


def test_an_empty_batch__is_no_fault(opened: Shop) -> None:
    assert tell(opened) == {"accepted": 0, "rejected": []}


def test_the_same_batch__counts_once_whichever_evaluator_it_comes_to(
    opened: Shop, redis_client: redis.Redis
) -> None:
    other_key = new_key("server")
    opened.publish({other_key.field: other_key.document})
    again = {"accepted": 0, "rejected": [], "repeated": True}
    assert tell(opened, V2, batch_id="b-1")["accepted"] == 1
    assert tell(opened, V2, batch_id="b-1") == again
    assert tell(opened, V2, batch_id="b-2")["accepted"] == 1
    assert tell(opened, V2, batch_id="b-1", key=other_key)["accepted"] == 1
    with opened.evaluator.another() as second:
        there = Shop(opened.portal, second, opened.key)
        there.wait()
        assert tell(there, V2, V2, batch_id="b-1") == again
    assert arrive(redis_client, opened, 3) == {("checkout", "2.0", False): 3}
    assert opened.evaluator.metric("outcomes_total", result="repeated") >= 1


def test_a_batch_of_which_nothing_counted__may_come_again_corrected(
    opened: Shop, redis_client: redis.Redis
) -> None:
    assert tell(opened, {}, batch_id="b-1")["accepted"] == 0
    assert tell(opened, V2, batch_id="b-1")["accepted"] == 1


def test_what_a_client_key_tells__is_set_apart_bounded_and_of_public_flags_alone(
    opened: Shop, client_key: Key, redis_client: redis.Redis
) -> None:
    most = outcomes.MOST_BY_CLIENT
    told = [
        {"flag": "german", "variant": "on"},
        OUT_OF,
        {"flag": "named", "variant": "on"},
        {"flag": "split", "context": {"targetingKey": "u"}},
        V2 | {"count": most},
        V2,
    ]
    answer = tell(opened, *told, key=client_key)
    assert answer["rejected"] == [
        {"index": 2, "error": "there is no flag 'named' here"},
        {"index": 3, "error": "there is no flag 'split' here"},
        {"index": 4, "error": outcomes.BY_CLIENT},
    ]
    assert arrive(redis_client, opened, 3) == {
        ("german", "on", True): 1,
        ("german", "off", True): 1,
        ("checkout", "2.0", True): 1,
    }


def test_an_environment__gets_only_what_its_own_keys_tell(
    opened: Shop, neighbour: Shop, redis_client: redis.Redis
) -> None:
    neighbour.open(flag("theirs"))
    assert tell(neighbour, OUT_OF, V2)["rejected"] == [
        {"index": 0, "error": "there is no flag 'german' here"}
    ]
    assert arrive(redis_client, neighbour, 1) == {("checkout", "2.0", False): 1}
    assert requests(redis_client, opened) == {}


def test_versions_and_types_of_errors_without_end__are_bounded_and_said(
    opened: Shop, redis_client: redis.Redis
) -> None:
    at = time.time()
    told = [V2 | {"version": str(number), "at": at} for number in range(outcomes.MOST_VERSIONS + 2)]
    kinds = [
        V2 | {"version": "0", "error": True, "error_type": str(n), "at": at} for n in range(30)
    ]
    answer = tell(opened, *told, *kinds)
    assert answer["rejected"] == [
        {"index": index, "error": outcomes.VERSIONS}
        for index in (outcomes.MOST_VERSIONS, outcomes.MOST_VERSIONS + 1)
    ]
    arrive(redis_client, opened, outcomes.MOST_VERSIONS + 30)
    types = counted(redis_client, opened)["checkout", "0", False].error_types
    assert (len(types), types["other"]) == (21, 10)


def test_redis_away__batches_wait_and_count_once_here(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    assert tell(own_shop, V2, batch_id="b-1")["accepted"] == 1
    own_redis.kill()
    for batch in ("b-1", "b-2", "b-2"):
        tell(own_shop, V2, batch_id=batch)
    wait_until(lambda: own_evaluator.metric("intake_waiting", kind="telemetry") >= 1)
    own_redis.start()
    with own_redis.client() as client:
        wait_until(lambda: requests(client, own_shop) == {("checkout", "2.0", False): 2})
    assert own_evaluator.metric("intake_dropped_total", kind="telemetry") == 0


def test_a_context__is_served_by_the_rules_of_its_instant(
    opened: Shop, redis_client: redis.Redis, portal: Publisher
) -> None:
    before = time.time()
    opened.publish({"flag/german": flag("german", rules=for_country("FR"))})
    after = time.time()
    opened.publish({"flag/german": None})
    told = [OUT_OF | {"at": at} for at in (before, before - 600, after, time.time() + 1)]
    answer = tell(opened, *told)
    assert answer["rejected"] == [
        {"index": 1, "error": telemetry.UNKNOWN_RULES},
        {"index": 3, "error": "there is no flag 'german' here"},
    ]
    found = arrive(redis_client, opened, 2)
    assert found == {("german", "off", False): 1, ("german", "on", False): 1}


def test_a_variant__that_a_flag_lately_had_still_counts(
    opened: Shop, redis_client: redis.Redis
) -> None:
    opened.publish({"flag/german": None})
    assert tell(opened, {"flag": "german", "variant": "on"})["accepted"] == 1
