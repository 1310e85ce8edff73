"""What is sent up: counted over HTTP, and told to Redis whatever happens to it."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from flags.channel import KEY_USE, USAGE, IntakeBatch, IntakeKind, Sealer, read_key_use, read_usage
from flags.engine import limits
from flags.evaluator.counters import Counters
from flags.evaluator.intake import Intake
from flags.evaluator.intake_queue import IntakeQueue
from flags.evaluator.link import Link
from flags.evaluator.memory import KeyUse
from tests.flags.evaluator.publisher import Key, flag, for_country, new_key
from tests.flags.evaluator.servers import SNAPSHOT_KEY, EvaluatorProcess, RedisServer
from tests.flags.evaluator.shop import Shop
from tests.support import waiting_batches
from tests.support.waiting import wait_until

AS_EVER = ("a", "on", "STATIC")


def waiting(redis: RedisServer, kind: IntakeKind) -> list[IntakeBatch]:
    """As the worker would take them: each id once."""
    with redis.client() as client:
        found = waiting_batches.read(client, kind, SNAPSHOT_KEY.encode())
    return list({batch.id: batch for batch in found}.values())


def told(redis: RedisServer) -> Counter[tuple[str, str, str]]:
    """How often each flag was answered with which variant for which reason."""
    total: Counter[tuple[str, str, str]] = Counter()
    for batch in waiting(redis, USAGE):
        for one in read_usage(batch) if batch.content else ():
            for row in one.asked:
                total[row.flag, row.variant, row.reason] += row.count
    return total


def used(redis: RedisServer) -> dict[str, float]:
    return dict(one for batch in waiting(redis, KEY_USE) for one in read_key_use(batch))


def test_everything_that_was_asked__is_told_at_the_end(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess, client_key: Key
) -> None:
    hidden, public = flag("hidden"), flag("public", client_visible=True, rules=for_country("DE"))
    stranger, expired = new_key(), new_key(expires_at=time.time() - 1)
    own_shop.open(hidden, public, keys=(client_key, expired))
    secret = "somebody@shop.example"
    for _time in range(3):
        own_shop.ask("public", {"targetingKey": secret})
    own_shop.ask("public", {"country": "DE"}, key=client_key)
    own_shop.ask_all()
    own_shop.ask_all(key=client_key)
    for name in ("hidden", "nothing", "x" * (limits.MAX_KEY_CHARS + 1)):
        own_shop.ask(name, key=client_key if name == "hidden" else None)
    for key in (stranger, expired):
        own_shop.ask("public", key=key)
    assert own_evaluator.stop() == 0
    assert told(own_redis) == {
        ("public", "on", "DEFAULT"): 5,
        ("public", "off", "TARGETING_MATCH"): 1,
        ("hidden", "on", "STATIC"): 1,
    }
    batches = waiting(own_redis, USAGE)
    missed = [row for batch in batches for one in read_usage(batch) for row in one.missed]
    assert {(row.name, row.by_client): row.count for row in missed} == {
        ("hidden", True): 1,
        ("nothing", False): 1,
        ("", False): 1,
    }
    assert used(own_redis).keys() == {own_shop.key.selector, client_key.selector}
    with own_redis.client() as client:
        assert secret.encode() not in (client.dump(USAGE.stream) or b"")
    own_evaluator.start()  # for the fixture to stop


def test_redis_killed_and_back_empty__what_it_had_and_what_was_asked_meanwhile_is_told(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    own_shop.ask("a")
    wait_until(lambda: told(own_redis))
    own_redis.kill()
    for _time in range(2):
        own_shop.ask("a")
    wait_until(lambda: "what was counted is told later" in own_evaluator.log())
    own_shop.ask("a")
    # What is counted is gathered every two seconds.
    wait_until(lambda: own_evaluator.metric("intake_waiting", kind="usage") == 3)
    assert own_evaluator.metric("intake_oldest_seconds", kind="usage") > 0
    own_redis.start()
    wait_until(lambda: told(own_redis)[AS_EVER] == 4, within_s=15)
    wait_until(lambda: used(own_redis).keys() == {own_shop.key.selector}, within_s=15)
    assert own_evaluator.metric("intake_dropped_total", kind="usage") == 0
    assert own_evaluator.log().count("told later") == 1


def test_redis_away_for_too_long__what_is_dropped_is_counted_and_said_with_the_next_batch(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    with own_evaluator.another(EVALUATOR_INTAKE_SECONDS="1") as hasty:
        own_shop.evaluator = hasty
        own_shop.open(flag("a"))
        own_redis.kill()
        for _time in range(3):
            own_shop.ask("a")
        wait_until(lambda: hasty.metric("intake_dropped_total", kind="usage") == 3)
        assert hasty.log().count("usage: 3 dropped") == 1
        own_redis.start()
        wait_until(lambda: sum(one.dropped for one in waiting(own_redis, USAGE)) == 3, within_s=15)
        assert told(own_redis) == {}
        own_shop.ask("a")
        wait_until(lambda: told(own_redis) == {AS_EVER: 1})
    assert sum(one.dropped for one in waiting(own_redis, USAGE)) == 3


def test_a_stream_that_is_none__holds_up_no_other_kind(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    with own_redis.client() as client:
        client.set(USAGE.stream, "x")
        own_shop.ask("a")
        wait_until(lambda: used(own_redis))
        client.delete(USAGE.stream)
    wait_until(lambda: told(own_redis) == {AS_EVER: 1})


def test_a_frozen_redis__does_not_hold_up_evaluations_nor_the_end(
    own_shop: Shop, own_redis: RedisServer, own_evaluator: EvaluatorProcess
) -> None:
    own_shop.open(flag("a"))
    own_redis.freeze()
    try:
        for _attempt in range(20):
            assert own_shop.ask("a").status_code == 200
        assert own_evaluator.stop() == 0
        assert "usage: 20 are lost with the process" in own_evaluator.log()
    finally:
        own_redis.thaw()
    own_evaluator.start()


# One queue, without a server


class Things:
    """Keys that are used, by the test."""

    def __init__(self) -> None:
        self.used = KeyUse()

    def gather(self) -> KeyUse:
        taken, self.used = self.used, KeyUse()
        return taken

    def fill(self, queue: IntakeQueue, minute: int, *names: str) -> None:
        self.used.update(dict.fromkeys(names, float(minute)))
        queue.add(minute, float(minute))


SEALER = Sealer(b"a" * 32)


def test_queue__minutes__grow_until_they_are_sent_and_keep_their_ids_then() -> None:
    things = Things()
    queue = IntakeQueue(KEY_USE, things.gather)
    things.fill(queue, 60, "a", "b")
    things.fill(queue, 60, "b", "c")
    things.fill(queue, 120, "d")
    assert (len(queue.waiting), queue.count) == (2, 4)
    first = queue.next_batches(SEALER)
    things.fill(queue, 120, "e")
    assert (queue.next_batches(SEALER), queue.count) == (first, 5)
    queue.note_sent(0, 0, b"5-0", 0, [b"5-0"])
    assert queue.count == 2
    queue.send_again()
    assert queue.next_batches(SEALER) == first


def test_queue__what_the_worker_has_taken__is_not_sent_again() -> None:
    things = Things()
    queue = IntakeQueue(KEY_USE, things.gather)
    for place, oldest in ((b"9-0", b"9-0"), (b"10-0", b"9-0"), (b"10-1", b"10-1")):
        things.fill(queue, 60, "a")
        queue.next_batches(SEALER)
        queue.note_sent(0, 0, oldest, 0, [place])
    assert [one.place for one in queue.sent] == [(10, 1)]


def test_queue__too_much__drops_what_redis_has_and_then_the_oldest_but_never_all() -> None:
    things = Things()
    queue = IntakeQueue(KEY_USE, things.gather)
    things.fill(queue, 0, "sent")
    queue.next_batches(SEALER)
    queue.note_sent(0, 0, b"1-0", 0, [b"1-0"])
    for minute in (60, 120, 180):
        things.fill(queue, minute, "a", "b")
    queue.drop(keep_s=900, keep_bytes=800)
    assert (len(queue.sent), queue.dropped, queue.count) == (0, 2, 4)
    queue.drop(keep_s=900, keep_bytes=1)
    assert (queue.dropped, queue.count) == (4, 2)
    (batch,) = queue.next_batches(SEALER)
    assert batch.told == 4
    queue.drop(keep_s=-1, keep_bytes=10**6)
    assert (queue.dropped, queue.untold, queue.count) == (6, 6, 0)
    (said,) = queue.next_batches(SEALER, first=True)
    assert (said.count, said.told) == (0, 6)


def test_a_kind_that_breaks__holds_up_no_other_and_is_said_to_be_lost(
    own_redis: RedisServer, runner: asyncio.Runner, caplog: pytest.LogCaptureFixture
) -> None:
    things, counters, link = Things(), Counters(), Link(own_redis.url)
    things.used = KeyUse({"x" * 16: 1.0})

    class Unsendable(KeyUse):
        def contents(self) -> Iterator[tuple[int, object]]:
            yield 1, object()

    unsendable = iter([Unsendable(a=1.0)])
    sources = {USAGE: lambda: next(unsendable, KeyUse()), KEY_USE: things.gather}
    intake = Intake(sources, counters, link, SEALER, keep_s=900, keep_bytes=10**6)
    runner.run(intake.end())
    assert "usage cannot be sent" in caplog.text
    intake.keep_s = -1
    runner.run(intake.end())
    runner.run(link.close())
    with own_redis.client() as client:
        (word,) = waiting_batches.read(client, USAGE, b"a" * 32)
        (used,) = waiting_batches.read(client, KEY_USE, b"a" * 32)
    assert (word.content, word.dropped, used.count) == (None, 1, 1)


def test_queue__what_redis_may_have_lost__is_sent_again_however_old() -> None:
    things = Things()
    queue = IntakeQueue(KEY_USE, things.gather)
    things.fill(queue, 0, "a")
    (sent,) = queue.next_batches(SEALER)
    queue.note_sent(0, 0, b"1-0", 0, [b"1-0"])
    queue.send_again()
    things.fill(queue, 60, "b")
    queue.drop(keep_s=-1, keep_bytes=10**6)
    assert (queue.dropped, queue.next_batches(SEALER)) == (1, [sent])


# The stream's bounds, as Redis keeps them


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def send(runner: asyncio.Runner, redis: RedisServer, kind: IntakeKind, sizes: list[int]) -> int:
    """Send so many things each, a batch at a time; how many are dropped, as it says."""
    counters, things, link = Counters(), Things(), Link(redis.url)
    sources = {kind: things.gather}
    intake = Intake(sources, counters, link, SEALER, keep_s=900, keep_bytes=10**8)
    for size in sizes:
        things.used = KeyUse({f"{number:016d}": 1.0 for number in range(size)})
        runner.run(intake.end())
    runner.run(link.close())
    return counters.intake[0].dropped


def test_a_stream_that_nobody_takes__is_bounded_and_what_falls_off_is_counted(
    own_redis: RedisServer, runner: asyncio.Runner
) -> None:
    kind = IntakeKind("test", kept_for_s=900, most_bytes=40_000, every_s=0)
    dropped = send(runner, own_redis, kind, [100] * 40)
    with own_redis.client() as client:
        entries = waiting_batches.read(client, kind, b"a" * 32)
        assert client.memory_usage(kind.stream) <= 40_000
        assert 0 < client.ttl(kind.stream) <= 900
    kept = sum(batch.count for batch in entries)
    assert 500 < kept < 4000
    assert kept + dropped == 4000
    assert dropped - sum(batch.dropped for batch in entries) <= 500  # the rest is told next time


def test_a_stream_that_nobody_takes__loses_what_is_too_old_and_what_a_stranger_put_there(
    own_redis: RedisServer, runner: asyncio.Runner
) -> None:
    kind = IntakeKind("test", kept_for_s=600, most_bytes=10**6, every_s=0)
    old = int((time.time() - 700) * 1000)
    with own_redis.client() as client:
        for place, count in enumerate(("7", "9" * 400, "nan")):
            client.xadd(kind.stream, {"count": count}, id=f"{old + place}-0")
        assert send(runner, own_redis, kind, [1, 1]) == 7 + 10**9
        assert [one.dropped for one in waiting_batches.read(client, kind, b"a" * 32)] == [
            0,
            7 + 10**9,
        ]
