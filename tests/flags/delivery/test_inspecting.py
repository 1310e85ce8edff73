"""What is done about a Redis that somebody wrote to, and about a database that was set back."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from flags.channel import (
    DOUBTS,
    INTAKE_KINDS,
    MENDED,
    REGISTRY,
    REGISTRY_STREAM,
    EnvironmentKeys,
    Sealer,
)
from flags.delivery import relay
from flags.delivery.inspecting import Inspector
from flags.delivery.publisher import Publisher, PublishOutcome
from flags.delivery.sweeping import Sweeper
from flags.models import FlagConfiguration
from flags.tasks import forget_old_changes
from portal.access import services as access
from portal.access.models import ApiKey, Environment, EnvironmentChange, User
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support.desk import Desk
from tests.support.people import SETTING_UP
from tests.support.shelf import Shelf

FLAG = "flag/new-checkout"
LAST_ID = "18446744073709551615-18446744073709551615"


@pytest.fixture
def inspector(store: redis.Redis, publisher: Publisher) -> Inspector:
    return Inspector(store, Sealer(settings.SNAPSHOT_KEY), publisher)


@pytest.fixture
def sweeper(store: redis.Redis, publisher: Publisher, inspector: Inspector) -> Sweeper:
    return Sweeper(store, publisher, inspector)


@pytest.fixture
def weighed(desk: Desk, publisher: Publisher, shelf: Shelf, alice: User) -> Callable[[], bool]:
    """Two flags and a key, changed once; says whether what Redis holds goes with its head."""
    desk.create(alice, "second")
    access.issue_key(
        environment=desk.environment,
        kind="server",
        name="Shop",
        intent=Intent(SETTING_UP, at=desk.now),
    )
    publisher.publish(desk.environment.pk)

    def check() -> bool:
        held, stored = publisher.read_all(desk.environment.pk)
        sealer, pk = Sealer(settings.SNAPSHOT_KEY), desk.environment.pk
        weights = (
            sealer.weigh(raw, environment_id=pk, field=field.decode())
            for field, raw in stored.items()
        )
        return held.complete and sum(weights) % 2**256 == held.total

    assert check()
    return check


def documents(store: redis.Redis, shelf: Shelf) -> dict[bytes, bytes]:
    return cast(dict[bytes, bytes], store.hgetall(shelf.keys.documents))


def put_back(store: redis.Redis, shelf: Shelf, old: dict[bytes, bytes]) -> None:
    store.delete(shelf.keys.documents)
    store.hset(shelf.keys.documents, mapping=cast(Any, old))


def scan(inspector: Inspector, desk: Desk) -> None:
    for _slice in inspector.scan(desk.environment.pk):
        pass


def doubt(store: redis.Redis, desk: Desk, head: bytes = b"") -> None:
    store.hset(DOUBTS, str(desk.environment.pk), head)


def flip_a_byte(sealed: bytes) -> bytes:
    return sealed[:-2] + bytes([sealed[-2] ^ 1]) + sealed[-1:]


Change = Callable[[dict[bytes, bytes], dict[bytes, bytes]], dict[bytes, bytes]]
# From the documents of before and of now to what a stranger leaves of them.
STRANGERS: dict[str, Change] = {
    "one flag set back": lambda old, new: new | {FLAG.encode(): old[FLAG.encode()]},
    "everything set back": lambda old, new: new | {f: old[f] for f in old if f in new},
    "revoked key back for a flag": lambda old, new: {
        f: raw for f, raw in (old | new).items() if f != b"flag/second"
    },
    "one byte flipped": lambda _old, new: new | {FLAG.encode(): flip_a_byte(new[FLAG.encode()])},
    "one exchanged for another": lambda _old, new: new | {b"flag/second": new[FLAG.encode()]},
}


@pytest.mark.parametrize("change", STRANGERS.values(), ids=list(STRANGERS))
@pytest.mark.parametrize("found_by", ["scan", "doubt"])
def test_documents__changed_by_a_stranger__are_published_again(
    inspector: Inspector,
    desk: Desk,
    shelf: Shelf,
    store: redis.Redis,
    alice: User,
    publisher: Publisher,
    weighed: Callable[[], bool],
    change: Change,
    found_by: str,
) -> None:
    old = documents(store, shelf)
    desk.switch(alice, True)
    for key in ApiKey.objects.filter(environment=desk.environment):
        access.revoke_key(key=key, intent=Intent(SETTING_UP, at=desk.now))
    publisher.publish(desk.environment.pk)
    put_back(store, shelf, change(old, documents(store, shelf)))
    position = (shelf.head().epoch, shelf.head().version)
    if found_by == "scan":
        scan(inspector, desk)
    else:
        doubt(store, desk)
        inspector.answer_doubts()
        assert not store.exists(DOUBTS)
    shelf.assert_current()
    assert weighed()
    assert (shelf.head().epoch, shelf.head().version) == position
    assert relay.read_mended() == {shelf.keys.documents: 1}


def test_scan__nothing_wrong__writes_nothing(
    inspector: Inspector, desk: Desk, store: redis.Redis, weighed: Callable[[], bool]
) -> None:
    before = {key: store.dump(key) for key in sorted(store.keys())}
    scan(inspector, desk)
    inspector.compare(desk.environment.pk)
    assert {key: store.dump(key) for key in sorted(store.keys())} == before


def test_publish__change_of_a_flag_that_was_set_back__makes_no_head_for_what_is_there(
    inspector: Inspector,
    desk: Desk,
    shelf: Shelf,
    store: redis.Redis,
    alice: User,
    publisher: Publisher,
    weighed: Callable[[], bool],
) -> None:
    """What is subtracted then is not what was added: no documents ever go with that sum."""
    old = documents(store, shelf)
    desk.switch(alice, True)
    publisher.publish(desk.environment.pk)
    put_back(store, shelf, documents(store, shelf) | {FLAG.encode(): old[FLAG.encode()]})
    desk.switch(alice, False)
    publisher.publish(desk.environment.pk)
    assert not weighed()
    doubt(store, desk)
    inspector.answer_doubts()
    assert weighed()
    shelf.assert_current()


@pytest.mark.parametrize("lost", ["left out", "flipped"])
def test_publish__document_to_replace_is_not_as_it_was__sends_everything(
    desk: Desk,
    shelf: Shelf,
    store: redis.Redis,
    alice: User,
    publisher: Publisher,
    weighed: Callable[[], bool],
    lost: str,
) -> None:
    sealed = documents(store, shelf)[FLAG.encode()]
    if lost == "flipped":
        store.hset(shelf.keys.documents, FLAG, flip_a_byte(sealed))
    else:
        store.hdel(shelf.keys.documents, FLAG)
        store.hset(shelf.keys.documents, "flag/other", sealed)
    desk.switch(alice, True)
    publisher.publish(desk.environment.pk)
    assert shelf.entries()[-1].changes is None
    assert weighed()
    shelf.assert_current()


def set_back_to(environment: Environment, version: int, nonce: str) -> None:
    """As a restored backup would: the version and what came after it are gone."""
    Environment.objects.filter(pk=environment.pk).update(version=version, nonce=nonce)
    EnvironmentChange.objects.filter(environment=environment, version__gt=version).delete()
    FlagConfiguration.objects.filter(environment=environment).update(enabled=False)
    environment.refresh_from_db()


def renewals() -> int:
    return AuditEvent.objects.filter(event="environment.epoch_renewed").count()


@pytest.mark.parametrize("writes", [0, 2, 3, 5])
@pytest.mark.parametrize("redis_was", ["frozen", "empty"])
def test_database__set_back_and_written_to_while_redis_was_away__starts_a_new_epoch(
    inspector: Inspector,
    desk: Desk,
    shelf: Shelf,
    store: redis.Redis,
    alice: User,
    publisher: Publisher,
    writes: int,
    redis_was: str,
) -> None:
    """Three versions are lost; with as many writes the version is the same, and is another."""
    publisher.publish(desk.environment.pk)
    desk.environment.refresh_from_db()
    backup = (desk.environment.version, desk.environment.nonce)
    for enabled in (True, False, True):
        desk.switch(alice, enabled)
    publisher.publish(desk.environment.pk)
    seen = shelf.head()
    evaluators_hold = cast(bytes, store.get(shelf.keys.head))
    set_back_to(desk.environment, *backup)
    for number in range(writes):
        desk.create(alice, f"flag-{number}")
    if redis_was == "empty":
        store.flushall()
        publisher.publish(desk.environment.pk)
        if (shelf.head().epoch, shelf.head().version) <= (seen.epoch, seen.version):
            doubt(store, desk, evaluators_hold)  # that evaluators refuse it, test_following says
            inspector.answer_doubts()
    else:
        assert publisher.publish(desk.environment.pk) is PublishOutcome.PUBLISHED
    shelf.assert_current()
    assert (shelf.head().epoch, shelf.head().version) > (seen.epoch, seen.version)
    assert shelf.entries()[-1].changes is None
    assert renewals() == (1 if redis_was == "frozen" or writes <= 3 else 0)


def test_doubt__with_a_head_that_the_database_knows__changes_nothing(
    inspector: Inspector,
    desk: Desk,
    shelf: Shelf,
    store: redis.Redis,
    alice: User,
    publisher: Publisher,
) -> None:
    """Anyone who reaches Redis may show any head that was ever published, again and again."""
    publisher.publish(desk.environment.pk)
    old = cast(bytes, store.get(shelf.keys.head))
    desk.switch(alice, True)
    publisher.publish(desk.environment.pk)
    before = cast(bytes, store.get(shelf.keys.head))
    for shown in (old, before, flip_a_byte(before), b"nonsense"):
        inspector.compare(desk.environment.pk, shown)
    assert store.get(shelf.keys.head) == before
    assert renewals() == 0


def test_doubts__again_and_again__start_one_comparison_in_a_while(
    inspector: Inspector, desk: Desk, store: redis.Redis, publisher: Publisher
) -> None:
    publisher.publish(desk.environment.pk)
    doubt(store, desk)
    inspector.answer_doubts()
    doubt(store, desk)
    inspector.answer_doubts()
    assert store.hexists(DOUBTS, str(desk.environment.pk))  # its turn comes later


def test_compare__database_changed_past_the_product__starts_a_new_epoch(
    inspector: Inspector, desk: Desk, shelf: Shelf, publisher: Publisher
) -> None:
    publisher.publish(desk.environment.pk)
    FlagConfiguration.objects.filter(pk=desk.configuration.pk).update(enabled=True)
    inspector.compare(desk.environment.pk)
    shelf.assert_current()
    assert renewals() == 1


def test_forget_old_changes__last_one_of_an_environment__stays_for_the_next_delta(
    desk: Desk, shelf: Shelf, publisher: Publisher, alice: User
) -> None:
    desk.switch(alice, True)
    publisher.publish(desk.environment.pk)
    EnvironmentChange.objects.update(changed_at="2001-01-01T00:00:00Z")
    forget_old_changes()
    desk.switch(alice, False)
    publisher.publish(desk.environment.pk)
    assert shelf.entries()[-1].changes is not None


INTAKE = [kind.stream for kind in INTAKE_KINDS]
SHARED = (REGISTRY, REGISTRY_STREAM, *INTAKE, DOUBTS, MENDED)


def break_key(store: redis.Redis, name: str, how: str) -> None:
    store.delete(name)
    if how == "wrong type":
        store.zadd(name, {"x": 1})
    else:
        store.xadd(name, {"x": "y"}, id=LAST_ID)


@pytest.mark.parametrize("part", ["head", "documents", "stream", "reports"])
@pytest.mark.parametrize("how", ["wrong type", "last id"])
def test_sweep__key_of_an_environment_is_impossible__is_mended_and_holds_up_no_other(
    sweeper: Sweeper,
    desk: Desk,
    staging: Environment,
    shelf: Shelf,
    store: redis.Redis,
    alice: User,
    caplog: pytest.LogCaptureFixture,
    part: str,
    how: str,
) -> None:
    sweeper.sweep()
    name = getattr(EnvironmentKeys(desk.environment.pk), part)
    break_key(store, name, how)
    desk.switch(alice, True)
    Desk(desk.flag, staging, desk.now).switch(alice, True)
    sweeper.sweep()
    sweeper.inspector.mend([desk.environment.pk, staging.pk])
    shelf.assert_current()
    Shelf(store, staging.pk).assert_current()
    assert f"deleted {name} from Redis" in caplog.text
    assert sweeper.troubles == {}
    desk.switch(alice, False)
    assert sweeper.sweep() == 1
    shelf.assert_current()


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("how", ["wrong type", "last id"])
def test_sweep__key_of_all_is_impossible__is_mended(
    sweeper: Sweeper, desk: Desk, shelf: Shelf, store: redis.Redis, name: str, how: str
) -> None:
    break_key(store, name, how)
    sweeper.sweep()
    sweeper.inspector.answer_doubts()
    sweeper.inspector.mend(())
    sweeper.sweep()
    shelf.assert_current()
    kinds = {REGISTRY: b"hash", REGISTRY_STREAM: b"stream", MENDED: b"hash"}
    assert store.type(name) == kinds.get(name, b"none")
    assert relay.read_mended()[name] == 1


@pytest.mark.parametrize("count", ["x", "9" * 5_000, str(2**63 - 1)])
def test_mended__no_count_stands_there__is_counted_anew_and_told(
    sweeper: Sweeper, desk: Desk, shelf: Shelf, store: redis.Redis, count: str
) -> None:
    sweeper.sweep()
    store.hset(MENDED, mapping={shelf.keys.documents: count, "a stranger's": count})
    break_key(store, shelf.keys.documents, "wrong type")
    sweeper.inspector.mend([desk.environment.pk])
    assert relay.read_mended()[shelf.keys.documents] == 1
    assert Client().get("/metrics").status_code == 200


def test_sweep__one_environment_cannot_be_read__the_others_are_published(
    sweeper: Sweeper,
    desk: Desk,
    staging: Environment,
    store: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    publish = Publisher.publish

    def fail_for_one(self: Publisher, environment_id: int, **more: Any) -> PublishOutcome:
        if environment_id == desk.environment.pk:
            raise RuntimeError("a row that cannot be read")
        return publish(self, environment_id, **more)

    monkeypatch.setattr(Publisher, "publish", fail_for_one)
    assert sweeper.sweep() == 2
    Shelf(store, staging.pk).assert_current()
    assert "a row that cannot be read" in sweeper.troubles[desk.environment.pk]
    monkeypatch.undo()
    sweeper._retry_at.clear()
    assert sweeper.sweep() == 1
    assert sweeper.troubles == {}
    assert f"environment {desk.environment.pk}: published again" in caplog.text


def count_gets(store: redis.Redis) -> int:
    return int(cast(Any, store.info("commandstats"))["cmdstat_get"]["calls"])


def test_sweep__another_relay_published_what_this_one_could_not__is_no_trouble_any_more(
    sweeper: Sweeper, desk: Desk, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    sweeper.troubles[desk.environment.pk] = "a row that cannot be read"
    publisher.publish(desk.environment.pk)
    sweeper.sweep()
    assert desk.environment.pk not in sweeper.troubles
    assert f"environment {desk.environment.pk}: published again" in caplog.text


def test_sweep__nothing_is_behind__asks_once_for_all_environments(
    sweeper: Sweeper, desk: Desk, store: redis.Redis, django_assert_num_queries: Any
) -> None:
    assert sweeper.sweep() == 3
    asked = count_gets(store)
    with django_assert_num_queries(1):
        assert sweeper.sweep() == 0
    assert count_gets(store) - asked == Environment.objects.count()


def test_renewepochs__after_a_restore__renews_each_epoch_and_records_who_said_so(
    desk: Desk, staging: Environment
) -> None:
    before = {one.pk: one.epoch for one in Environment.objects.all()}
    call_command("renewepochs", "--project", "shop")
    after = {one.pk: one.epoch for one in Environment.objects.filter(project__key="shop")}
    assert all(after[pk] > before[pk] for pk in after)
    events = AuditEvent.objects.filter(event="environment.epoch_renewed")
    assert events.count() == len(after) == 3
    assert all(event.actor.startswith("manage.py renewepochs") for event in events)
    with pytest.raises(CommandError, match="no environment in a project nothing"):
        call_command("renewepochs", "--project", "nothing")
