"""What was asked for: counted over HTTP, and told to Redis whatever happens to it."""

from collections import Counter
from typing import cast

from flags.channel import USAGE_STREAM, UsageBatch, read_batch
from flags.engine import limits
from tests.flags.evaluator.publisher import Key, flag, for_country
from tests.flags.evaluator.servers import EvaluatorProcess, RedisServer, wait_until
from tests.flags.evaluator.shop import Shop


def batches(redis: RedisServer) -> list[UsageBatch]:
    with redis.client() as client:
        entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(USAGE_STREAM))
    found = [read_batch(fields[b"batch"]) for _place, fields in entries]
    assert None not in found
    return [batch for batch in found if batch]


def told(redis: RedisServer) -> Counter[tuple[str, str, str]]:
    """How often each flag was answered with which variant for which reason."""
    total: Counter[tuple[str, str, str]] = Counter()
    for batch in batches(redis):
        for row in batch.asked:
            total[row.flag, row.variant, row.reason] += row.count
    return total


def missed(redis: RedisServer) -> dict[tuple[str, bool], int]:
    rows = [row for batch in batches(redis) for row in batch.missed]
    return {(row.name, row.by_client): row.count for row in rows}


def test_everything_that_was_asked__is_told_at_the_end(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess, client_key: Key
) -> None:
    hidden, public = flag("hidden"), flag("public", client_visible=True, rules=for_country("DE"))
    own_shop.open(hidden, public, keys=(client_key,))
    secret = "somebody@shop.example"
    for _time in range(3):
        own_shop.ask("public", {"targetingKey": secret})
    own_shop.ask("public", {"country": "DE"}, key=client_key)
    own_shop.ask_all()
    own_shop.ask_all(key=client_key)
    own_shop.ask("hidden", key=client_key)
    own_shop.ask("nothing")
    own_shop.ask("x" * (limits.MAX_KEY_CHARS + 1))
    assert own_evaluator.stop() == 0
    assert told(own_redis) == {
        ("public", "on", "DEFAULT"): 5,
        ("public", "off", "TARGETING_MATCH"): 1,
        ("hidden", "on", "STATIC"): 1,
    }
    assert missed(own_redis) == {("hidden", True): 1, ("nothing", False): 1, ("", False): 1}
    assert secret.encode() not in b"".join(batch.dump() for batch in batches(own_redis))
    own_evaluator.start()  # for the fixture to stop


def test_redis_away__what_was_asked_meanwhile_is_told_later(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    own_shop.ask("a")
    wait_until(lambda: told(own_redis))
    own_redis.kill()
    for _time in range(2):
        own_shop.ask("a")
    wait_until(lambda: "what was asked for is told later" in own_evaluator.log())
    own_shop.ask("a")
    own_redis.start()
    wait_until(lambda: told(own_redis)["a", "on", "STATIC"] >= 2, within_s=15)
    assert own_evaluator.stop() == 0
    assert told(own_redis) == {("a", "on", "STATIC"): 3}
    own_evaluator.start()
