"""When keys were last used: remembered, and told to Redis now and then."""

import time
from typing import cast

from flags.channel import KEYS_USED
from tests.flags.evaluator.publisher import Key, flag, new_key
from tests.flags.evaluator.servers import EvaluatorProcess, RedisServer, wait_until
from tests.flags.evaluator.shop import Shop


def told(redis: RedisServer) -> dict[str, float]:
    """What Redis holds of the use of keys."""
    with redis.client() as client:
        found = cast(dict[bytes, bytes], client.hgetall(KEYS_USED))
    return {selector.decode(): float(at) for selector, at in found.items()}


def test_use_is_told_soon_and_by_nobody_but_who_was_let_in(
    own_shop: Shop, own_redis: RedisServer, server_key: Key
) -> None:
    stranger, expired = new_key(), new_key(expires_at=time.time() - 1)
    own_shop.open(flag("a"), keys=(expired,))
    before = time.time()
    for key in (None, stranger, expired):
        own_shop.ask("a", key=key)
    found = wait_until(lambda: told(own_redis), within_s=3)
    assert list(found) == [server_key.selector]
    assert before - 1 <= found[server_key.selector] <= time.time()


def test_what_was_not_told_yet_is_told_at_the_end(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    second = new_key()
    own_shop.open(flag("a"), keys=(second,))
    own_shop.ask("a")
    wait_until(lambda: told(own_redis), within_s=3)
    own_shop.ask("a", key=second)  # now the next telling is some seconds off
    assert second.selector not in told(own_redis)
    assert own_evaluator.stop() == 0
    assert second.selector in told(own_redis)
    own_evaluator.start()  # for the fixture to stop


def test_a_frozen_redis__does_not_hold_up_evaluations_nor_the_end(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    own_redis.freeze()
    try:
        for _attempt in range(20):
            began_at = time.monotonic()
            assert own_shop.ask("a").status_code == 200
            assert time.monotonic() - began_at < 0.5
        began_at = time.monotonic()
        assert own_evaluator.stop() == 0
        assert time.monotonic() - began_at < 4
    finally:
        own_redis.thaw()
    own_evaluator.start()
