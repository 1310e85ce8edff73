"""Bringing Redis up to the database, from whatever it holds."""

import dataclasses
import random
from collections.abc import Callable

import pytest
import redis
from django.conf import settings

from flags.channel import REGISTRY, REGISTRY_STREAM, Sealer
from flags.delivery.publisher import RELAY, Publisher, PublishOutcome
from flags.models import FlagConfiguration
from portal.access import services as access
from portal.access.models import Environment, EnvironmentChange, User
from portal.audit.models import AuditEvent
from portal.lib.journal import Intent
from tests.support import concurrently
from tests.support.desk import RULE, Desk
from tests.support.people import SETTING_UP
from tests.support.shelf import Shelf


def publish(publisher: Publisher, desk: Desk) -> PublishOutcome:
    return publisher.publish(desk.environment.pk)


def test_publish__nothing_there__publishes_in_full(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis
) -> None:
    assert publish(publisher, desk) is PublishOutcome.PUBLISHED
    shelf.assert_current()
    (entry,) = shelf.entries()
    assert entry.changes is None
    assert store.hgetall(REGISTRY) == {str(desk.environment.pk).encode(): b"shop/production"}
    assert store.xlen(REGISTRY_STREAM) == 1
    head = shelf.head().document
    assert head
    assert (head["project"], head["environment"], head["kind"]) == (
        "shop",
        "production",
        "production",
    )


def test_publish__nothing_new__leaves_redis_alone(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis
) -> None:
    publish(publisher, desk)
    before = {key: store.dump(key) for key in sorted(store.keys())}
    assert publish(publisher, desk) is PublishOutcome.CURRENT
    assert {key: store.dump(key) for key in sorted(store.keys())} == before


def test_publish__one_flag_changed__sends_that_flag_alone(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    for number in range(5):
        desk.create(alice, f"flag-{number}")
    publish(publisher, desk)
    base = shelf.head().version
    desk.save(alice, enabled=True, rules=[RULE])
    assert publish(publisher, desk) is PublishOutcome.PUBLISHED
    shelf.assert_current()
    entry = shelf.entries()[-1]
    assert (entry.base, entry.version) == (base, base + 1)
    assert shelf.changes(entry) == {"flag/new-checkout": desk.configuration.environment_document()}


def test_publish__several_changes_at_once__are_one_delta_from_what_redis_had(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    publish(publisher, desk)
    base = shelf.head().version
    desk.switch(alice, True)
    desk.switch(alice, False)
    desk.create(alice, "second")
    publish(publisher, desk)
    shelf.assert_current()
    entry = shelf.entries()[-1]
    assert (entry.base, entry.version) == (base, base + 3)
    assert set(shelf.changes(entry)) == {"flag/new-checkout", "flag/second"}


def test_publish__flag_archived_and_key_revoked__are_taken_away(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    key = access.issue_key(
        environment=desk.environment,
        kind="server",
        name="Shop",
        intent=Intent(SETTING_UP, at=desk.now),
    ).key
    publish(publisher, desk)
    assert set(shelf.documents()) == {"flag/new-checkout", f"key/{key.selector}"}
    desk.archive(alice)
    access.revoke_key(key=key, intent=Intent(SETTING_UP, at=desk.now))
    publish(publisher, desk)
    assert shelf.documents() == {}
    assert shelf.changes(shelf.entries()[-1]) == {
        "flag/new-checkout": None,
        f"key/{key.selector}": None,
    }
    shelf.assert_current()


def test_publish__flag_restored__is_back(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    desk.archive(alice)
    publish(publisher, desk)
    desk.restore(alice)
    publish(publisher, desk)
    assert set(shelf.documents()) == {"flag/new-checkout"}
    shelf.assert_current()


def test_publish__key__carries_no_secret(publisher: Publisher, desk: Desk, shelf: Shelf) -> None:
    issued = access.issue_key(
        environment=desk.environment,
        kind="client",
        name="Browser",
        intent=Intent(SETTING_UP, at=desk.now),
        allowed_origins=["https://shop.example"],
    )
    publish(publisher, desk)
    assert shelf.documents()[f"key/{issued.key.selector}"] == {
        "selector": issued.key.selector,
        "kind": "client",
        "verifier": issued.token.verifier,
        "origins": ["https://shop.example"],
        "expires_at": None,
        "rate": None,
        "burst": None,
    }


def test_publish__changes_no_longer_listed__publishes_in_full(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    """Redis came back with a state from before the list of changes was pruned."""
    publish(publisher, desk)
    desk.switch(alice, True)
    EnvironmentChange.objects.filter(version=desk.configuration.version).delete()
    desk.create(alice, "second")
    publish(publisher, desk)
    shelf.assert_current()
    assert shelf.entries()[-1].changes is None


@pytest.mark.parametrize("forged", [b"", b"garbage", b"9:9:9:9", "full of ütf-8".encode()])
def test_publish__head_written_by_somebody_else__is_replaced(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis, forged: bytes
) -> None:
    publish(publisher, desk)
    store.set(shelf.keys.head, forged)
    assert publish(publisher, desk) is PublishOutcome.PUBLISHED
    shelf.assert_current()


def test_publish__head_sealed_with_another_key__is_replaced(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis
) -> None:
    """Someone who reaches Redis announces version 1,000,000 so that no change ever gets through."""
    publish(publisher, desk)
    later = dataclasses.replace(shelf.head(), version=1_000_000)
    forger = Sealer(b"f" * 32)
    sealed = forger.seal(later, environment_id=desk.environment.pk, field="head")
    store.set(shelf.keys.head, sealed)
    publish(publisher, desk)
    shelf.assert_current()
    assert shelf.head().version < 1_000_000


def test_publish__head_of_another_environment__is_replaced(
    publisher: Publisher, desk: Desk, staging: Environment, shelf: Shelf, store: redis.Redis
) -> None:
    """A genuine seal, in a place it was not made for."""
    publisher.publish(staging.pk)
    head = store.get(Shelf(store, staging.pk).keys.head)
    assert isinstance(head, bytes)
    store.set(shelf.keys.head, head)
    publish(publisher, desk)
    shelf.assert_current()


def test_publish__environment_no_longer_listed__lists_it_again(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis
) -> None:
    publish(publisher, desk)
    store.delete(REGISTRY, REGISTRY_STREAM)
    publish(publisher, desk)
    assert len(shelf.entries()) == 1
    assert store.xlen(REGISTRY_STREAM) == 1
    shelf.assert_current()


@pytest.mark.parametrize("lost", ["documents", "head", "everything"])
def test_publish__redis_lost_something__publishes_it_again(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis, lost: str
) -> None:
    publish(publisher, desk)
    match lost:
        case "documents":
            store.delete(shelf.keys.documents)
        case "head":
            store.delete(shelf.keys.head)
        case _:
            store.flushall()
    assert publish(publisher, desk) is PublishOutcome.PUBLISHED
    shelf.assert_current()


def test_publish__older_redis_came_back__catches_up(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis, alice: User
) -> None:
    publish(publisher, desk)
    keys = (shelf.keys.head, shelf.keys.documents)
    old = {key: store.dump(key) or b"" for key in keys}
    for enabled in (True, False, True):
        desk.switch(alice, enabled)
        publish(publisher, desk)
    for key, state in old.items():
        store.restore(key, 0, state, replace=True)
    publish(publisher, desk)
    shelf.assert_current()


def test_publish__database_set_back__starts_a_new_epoch(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    desk.switch(alice, True)
    publish(publisher, desk)
    seen = shelf.head()
    Environment.objects.filter(pk=desk.environment.pk).update(version=seen.version - 1)
    assert publish(publisher, desk) is PublishOutcome.PUBLISHED
    desk.environment.refresh_from_db()
    assert desk.environment.epoch > seen.epoch
    assert desk.environment.version == seen.version - 1
    shelf.assert_current()
    event = AuditEvent.objects.first()
    assert event
    assert (event.event, event.actor) == ("environment.epoch_renewed", "relay")


def test_publish__epoch_renewed_and_written_on_before_anybody_published__is_in_full(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    """Versions of two histories say nothing about each other."""
    publish(publisher, desk)
    Environment.objects.filter(pk=desk.environment.pk).update(epoch="ffffffffffff-00000000")
    FlagConfiguration.objects.filter(pk=desk.configuration.pk).update(
        enabled=True
    )  # as it was then
    desk.create(alice, "second")
    publish(publisher, desk)
    shelf.assert_current()


def test_renew_epoch__two_publishers_saw_the_same__is_renewed_once(desk: Desk) -> None:
    def renew() -> Environment:
        return access.renew_epoch(
            environment_id=desk.environment.pk,
            seen_epoch=desk.environment.epoch,
            intent=Intent(RELAY, "the database was set back"),
        )

    first, second = renew(), renew()
    assert first.epoch == second.epoch > desk.environment.epoch
    assert AuditEvent.objects.filter(event="environment.epoch_renewed").count() == 1


def test_publish__database_set_back_to_before_an_earlier_renewal__is_later_again(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    """The clock of the machine may have been set back as well."""
    desk.switch(alice, True)
    future = "ffffffffffff-00000000"
    Environment.objects.filter(pk=desk.environment.pk).update(epoch=future)
    publish(publisher, desk)
    Environment.objects.filter(pk=desk.environment.pk).update(epoch="000000000000-00000000")
    publish(publisher, desk)
    assert shelf.head().epoch > future
    shelf.assert_current()


def test_publish__row_that_no_longer_parses__travels_raw_and_holds_up_nobody(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    desk.create(alice, "second")
    FlagConfiguration.objects.filter(flag=desk.flag).update(targeting={"rules": "none"})
    publish(publisher, desk)
    documents = shelf.documents()
    assert set(documents) == {"flag/new-checkout", "flag/second"}
    broken = documents["flag/new-checkout"]
    assert broken
    assert broken["rules"] == "none"
    assert "flag new-checkout does not parse" in caplog.text


def test_publish__large_change__is_announced_without_its_documents(
    publisher: Publisher, desk: Desk, shelf: Shelf, alice: User
) -> None:
    publish(publisher, desk)
    keys = [f"user-{number:06}" for number in range(10_000)]
    desk.save(alice, targets=[{"variant": "on", "keys": keys}])
    publish(publisher, desk)
    shelf.assert_current()
    assert shelf.entries()[-1].changes is None


def test_publish__redis_full__announces_nothing(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis, alice: User
) -> None:
    publish(publisher, desk)
    desk.switch(alice, True)
    before = {key: store.dump(key) for key in sorted(store.keys())}
    store.config_set("maxmemory", "1")
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            publish(publisher, desk)
        assert {key: store.dump(key) for key in sorted(store.keys())} == before
    finally:
        store.config_set("maxmemory", "0")
    assert publish(publisher, desk) is PublishOutcome.PUBLISHED
    shelf.assert_current()


def test_publish__any_order_of_changes_and_publications__ends_where_the_database_is(
    publisher: Publisher, desk: Desk, shelf: Shelf, store: redis.Redis, alice: User
) -> None:
    """The order is drawn anew in every run; pytest-randomly prints the seed that repeats it."""

    def flip() -> object:
        return desk.switch(alice, not desk.configuration.enabled)

    def archive_or_restore() -> None:
        desk.flag.refresh_from_db()
        (desk.restore if desk.flag.is_archived else desk.archive)(alice)

    def issue() -> object:
        return access.issue_key(
            environment=desk.environment,
            kind="server",
            name="x",
            intent=Intent(SETTING_UP, at=desk.now),
        )

    numbers = iter(range(1000))
    actions: list[Callable[[], object]] = [
        lambda: desk.create(alice, f"flag-{next(numbers)}"),
        lambda: desk.edit(alice, name=f"Name {next(numbers)}"),
        issue,
        archive_or_restore,
        lambda: desk.flag.is_archived or flip(),
        lambda: publish(publisher, desk),
        lambda: publish(publisher, desk),
        lambda: store.delete(shelf.keys.documents),
    ]
    for _step in range(40):
        desk.flag.refresh_from_db()
        random.choice(actions)()
    publish(publisher, desk)
    shelf.assert_current()


@pytest.mark.django_db(transaction=True)
def test_publish__several_publishers_at_once__publish_each_version_once(
    store: redis.Redis, desk: Desk, shelf: Shelf, alice: User
) -> None:
    store.flushall()  # what the nudges published
    desk.switch(alice, True)
    store.flushall()

    def one() -> PublishOutcome:
        return Publisher(store, Sealer(settings.SNAPSHOT_KEY)).publish(desk.environment.pk)

    outcomes = concurrently.run(one, one, one, one)
    assert sorted(str(outcome) for outcome in outcomes) == sorted(
        [str(PublishOutcome.PUBLISHED), *[str(PublishOutcome.CURRENT)] * 3]
    )
    assert len(shelf.entries()) == 1
    shelf.assert_current()


@pytest.mark.django_db(transaction=True)
def test_publish__while_people_write__never_goes_back_and_ends_current(
    store: redis.Redis, desk: Desk, shelf: Shelf, alice: User
) -> None:
    store.flushall()

    def write() -> None:
        for _ in range(5):
            desk.switch(alice, True)
            desk.switch(alice, False)

    def keep_publishing() -> None:
        publisher = Publisher(store, Sealer(settings.SNAPSHOT_KEY))
        for _ in range(20):
            publisher.publish(desk.environment.pk)

    assert concurrently.run(write, keep_publishing, keep_publishing) == [None] * 3
    Publisher(store, Sealer(settings.SNAPSHOT_KEY)).publish(desk.environment.pk)
    shelf.assert_current()
    versions = [entry.version for entry in shelf.entries()]
    assert versions == sorted(set(versions))
    assert all(
        later.base == earlier.version
        for earlier, later in zip(shelf.entries(), shelf.entries()[1:], strict=False)
    )
