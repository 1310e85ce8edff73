"""What the worker takes from Redis: each batch once, whatever is there and wherever it dies."""

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from flags.channel import KEY_USE, USAGE, EvaluationCount, IntakeBatch, IntakeKind, Sealer
from flags.channel.intake import MAX_BATCH_BYTES
from flags.delivery import intake, relay
from flags.evaluator.intake_queue import minute_of
from flags.models import FlagUsage, IntakeLoss, TakenBatch, UnknownFlag
from portal.access import services
from portal.access.models import ApiKey, Environment
from portal.lib import clock
from portal.lib.journal import Intent
from tests.flags.usage.conftest import batch, counted, on as on, take
from tests.support import concurrently
from tests.support.people import SETTING_UP
from tests.support.redis_server import RedisServer

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]
TWICE = {("on", "STATIC"): 2}


@pytest.fixture
def now() -> datetime:
    """Drains look at the clock."""
    return clock.now()


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[redis.Redis]:
    redis_server.restart_empty()
    relay._redis.cache_clear()
    with redis_server.client() as client:
        yield client


def leave(store: redis.Redis, *batches: IntakeBatch) -> None:
    """As evaluators do."""
    for one in batches:
        sealed = one.seal(Sealer(settings.SNAPSHOT_KEY))
        store.xadd(one.kind.stream, {"count": one.count, "told": one.dropped, "batch": sealed})


def key_use(at: datetime, used: object) -> IntakeBatch:
    return IntakeBatch(KEY_USE, minute_of(at.timestamp()), at.timestamp(), used, 1)


def losses() -> dict[tuple[str, str], int]:
    rows = IntakeLoss.objects.values_list("kind", "cause", "count")
    return {(kind, cause): count for kind, cause, count in rows}


def left(store: redis.Redis) -> int:
    return sum(int(store.xlen(one.stream)) for one in (USAGE, KEY_USE))


def test_batches__that_were_sent_twice__are_stored_once(
    store: redis.Redis, production: Environment, on: EvaluationCount, now: datetime
) -> None:
    one = batch(production, now, on)
    leave(store, one, one, batch(production, now, on))
    intake.drain()
    leave(store, one)
    intake.drain()
    assert counted() == {("on", "STATIC"): 4}
    assert (left(store), losses()) == (0, {})


class Killed(BaseException):
    """As SIGKILL: nothing that follows is done."""


@pytest.mark.parametrize("point", ["intake-before-commit", "intake-after-commit"])
def test_a_worker__killed_in_or_after_the_transaction__doubles_and_loses_nothing(
    store: redis.Redis,
    production: Environment,
    on: EvaluationCount,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    leave(store, *(batch(production, now, on) for _number in range(60)))

    def die(name: str) -> None:
        if name == point:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(intake, "failpoint", die)
        with pytest.raises(Killed):
            intake.drain()
    assert left(store) == 60
    intake.drain()
    assert counted() == {("on", "STATIC"): 120}
    assert (left(store), TakenBatch.objects.count()) == (0, 60)


@pytest.mark.django_db(transaction=True)
def test_a_batch__that_two_workers_take_at_once__counts_once(
    store: redis.Redis, production: Environment, on: EvaluationCount, now: datetime
) -> None:
    leave(store, *(batch(production, now, on) for _number in range(5)))
    concurrently.run(intake.drain, intake.drain)
    intake.drain()
    assert counted() == {("on", "STATIC"): 10}
    assert (left(store), losses()) == (0, {})


def register(monkeypatch: pytest.MonkeyPatch, kind: IntakeKind, store: Any) -> None:
    """Let another service store a kind, for a while."""
    decode, _store = intake._READERS[kind]
    monkeypatch.setitem(intake._READERS, kind, (decode, store))


def test_a_kind_that_breaks__holds_up_no_other_and_is_tried_again(
    store: redis.Redis,
    production: Environment,
    on: EvaluationCount,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = services.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(SETTING_UP, at=now)
    ).key
    leave(store, batch(production, now, on), key_use(now, {key.selector: now.timestamp()}))
    with monkeypatch.context() as patched:
        register(patched, USAGE, lambda *_given: 1 / 0)
        intake.drain()
        intake.drain()
    assert ApiKey.objects.get().last_used_at == now
    assert (left(store), counted()) == (1, {})
    intake.drain()
    assert (left(store), counted(), losses()) == (0, TWICE, {})


def test_a_batch_that_breaks__holds_up_no_other_and_is_tried_again(
    store: redis.Redis,
    production: Environment,
    on: EvaluationCount,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = intake._READERS[USAGE][1]

    def stumble(usage: Collection[Any], at: datetime) -> int:
        if any(row.flag == "poison" for one in usage for row in one.asked):
            raise RuntimeError
        return good(usage, at)

    poison = batch(production, now, replace(on, flag="poison"))
    with monkeypatch.context() as patched:
        register(patched, USAGE, stumble)
        leave(store, poison, batch(production, now, on))
        intake.drain()
        leave(store, batch(production, now, on))
        intake.drain()
    assert (left(store), counted(), losses()) == (1, {("on", "STATIC"): 4}, {})
    intake.drain()
    assert left(store) == 0


def test_a_database_that_is_away__loses_nothing(
    store: redis.Redis,
    production: Environment,
    on: EvaluationCount,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_given: object) -> int:
        raise OperationalError

    leave(store, batch(production, now, on))
    with monkeypatch.context() as patched:
        register(patched, USAGE, refuse)
        intake.drain()
    intake.drain()
    assert (left(store), counted(), losses()) == (0, TWICE, {})


def test_what_was_dropped__is_kept_and_said_on_the_page_in_health_and_in_metrics(
    store: redis.Redis,
    production: Environment,
    on: EvaluationCount,
    now: datetime,
    bob_client: Client,
) -> None:
    leave(store, replace(batch(production, now, on), dropped=5))
    leave(store, IntakeBatch(USAGE, minute_of(now.timestamp()), now.timestamp(), dropped=1002))
    intake.drain()
    assert (counted(), losses()) == (TWICE, {("usage", "dropped"): 1007})
    for period in ("hour", "month"):
        page = bob_client.get(f"/p/shop/flag/usage/new-checkout?period={period}").content.decode()
        text = "1,007 evaluations of all flags together were dropped before they were counted"
        assert text in " ".join(page.split())
    said = {"kind": "usage", "cause": "dropped", "lost_last_day": 1007}
    assert Client().get("/health").json()["intake"] == [said]
    metrics = Client().get("/metrics").content.decode()
    assert 'aviary_intake_lost_last_day{cause="dropped",kind="usage"} 1007.0' in metrics


@pytest.mark.parametrize("minutes", [-26 * 60, 10])
def test_a_batch__of_another_time__is_counted_as_dropped(
    production: Environment, on: EvaluationCount, now: datetime, minutes: int
) -> None:
    away = batch(production, now + timedelta(minutes=minutes), on)
    assert take(away, now=now) == 1
    assert (counted(), losses()) == ({}, {("usage", "dropped"): 2})


def test_a_batch__of_an_environment_that_is_gone__is_counted_and_skipped(
    store: redis.Redis, production: Environment, on: EvaluationCount, now: datetime
) -> None:
    gone = batch(production, now, on)
    rows = [[10**9, *row[1:]] for row in gone.content["asked"]]
    leave(store, replace(gone, content={**gone.content, "asked": rows}))
    leave(store, batch(production, now, on))
    intake.drain()
    assert (left(store), counted(), losses()) == (0, TWICE, {("usage", "gone"): 2})


def forged(good: IntakeBatch, now: datetime) -> dict[str, dict[str, bytes]]:
    """What somebody with access to Redis may leave, and what no evaluator seals."""
    sealer = Sealer(settings.SNAPSHOT_KEY)
    sealed = good.seal(sealer)
    half = {**good.content, "missed": [[1, "x", True, 1], [1]]}
    return {
        "noise": {"batch": b"noise"},
        "no batch": {"other": b"noise"},
        "another's seal": {"batch": good.seal(Sealer(b"x" * 32))},
        "more counts": {"batch": sealed.replace(b'"STATIC",2', b'"STATIC",9')},
        "another kind": {"batch": key_use(now, good.content).seal(sealer)},
        "far too large": {"batch": sealed + b" " * MAX_BATCH_BYTES},
        "senseless": {"batch": replace(good, id="a" * 32, content=[1]).seal(sealer)},
        "half": {"batch": replace(good, id="b" * 32, content=half).seal(sealer)},
    }


def test_what_no_evaluator_wrote__is_counted_skipped_and_holds_up_nothing(
    store: redis.Redis, production: Environment, on: EvaluationCount, now: datetime
) -> None:
    bad = forged(batch(production, now, on), now)
    for fields in bad.values():
        store.xadd(USAGE.stream, fields)  # type: ignore[arg-type]
    leave(store, batch(production, now, on))
    intake.drain()
    assert (left(store), counted()) == (0, TWICE)
    assert losses() == {("usage", "unreadable"): len(bad)}
    assert not UnknownFlag.objects.exists()


@pytest.mark.parametrize("how", ["wrong type", "last id"])
def test_a_stream_that_is_impossible__holds_up_no_other_kind(
    store: redis.Redis, production: Environment, on: EvaluationCount, now: datetime, how: str
) -> None:
    if how == "wrong type":
        store.set(USAGE.stream, "x")
    else:
        store.xadd(USAGE.stream, {"batch": b"x"}, id="18446744073709551615-18446744073709551615")
    leave(store, key_use(now, {}))
    intake.drain()
    assert store.xlen(KEY_USE.stream) == 0


def test_redis_away__nothing_happens(redis_server: RedisServer, db: None) -> None:
    redis_server.kill()
    relay._redis.cache_clear()
    try:
        intake.drain()
    finally:
        redis_server.start()


def test_old_road__what_it_left_is_drained_once(
    store: redis.Redis, production: Environment, on: EvaluationCount, now: datetime
) -> None:
    """Written by evaluators of the version before, running or gone."""
    document = {
        "id": "a" * 32,
        "environment": production.pk,
        "minute": minute_of(now.timestamp()),
        "last_at": now.timestamp(),
        "asked": [["new-checkout", "on", "STATIC", 2]],
        "missed": [["old", False, 3]],
    }
    for _time in range(2):
        store.xadd("aviary:usage", {"batch": json.dumps(document)})
        store.xadd("aviary:usage", {"batch": b"noise"})
        for late in (60 * 10**15, 60 * (2**63 // 60)):
            beyond = document | {"id": f"{late:032x}", "minute": late, "last_at": late}
            store.xadd("aviary:usage", {"batch": json.dumps(beyond)})
        intake.drain()
        assert store.xlen("aviary:usage") == 0
    assert counted() == TWICE
    assert (UnknownFlag.objects.get().count, FlagUsage.objects.count()) == (3, 3)


def test_word_of_batches_and_losses__goes_when_nobody_needs_it(
    production: Environment, on: EvaluationCount, now: datetime
) -> None:
    take(replace(batch(production, now, on), dropped=1), now=now)
    for days, batches, lost in ((1, 1, 1), (3, 0, 1), (36, 0, 0)):
        intake.forget_old_batches(now=now + timedelta(days=days))
        assert (TakenBatch.objects.count(), IntakeLoss.objects.count()) == (batches, lost)
