"""The nudge right after a commit, and the sweep that finds what it missed."""

import threading
import time

import pytest
import redis
from django.db import connections
from pytest_django import DjangoCaptureOnCommitCallbacks

from flags.delivery import relay
from portal.access.models import User
from tests.support.desk import Desk
from tests.support.redis_server import RedisServer
from tests.support.shelf import Shelf
from tests.support.waiting import wait_until

pytestmark = pytest.mark.postgresql


@pytest.fixture
def own_shelf(own_redis: RedisServer, desk: Desk) -> Shelf:
    return Shelf(own_redis.client(), desk.environment.pk)


@pytest.mark.django_db(transaction=True)
def test_commit__of_a_change__publishes_it_at_once(
    store: redis.Redis, desk: Desk, shelf: Shelf, alice: User
) -> None:
    saved = desk.switch(alice, True)
    assert shelf.head().version == saved.version
    shelf.assert_current()


def test_change__not_yet_committed__is_not_published(
    store: redis.Redis,
    desk: Desk,
    shelf: Shelf,
    alice: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        desk.switch(alice, True)
        assert not store.exists(shelf.keys.head)
    shelf.assert_current()


@pytest.mark.django_db(transaction=True)
def test_change__with_redis_away__is_saved_and_published_by_the_sweep(
    desk: Desk,
    own_redis: RedisServer,
    own_shelf: Shelf,
    alice: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own_redis.kill()
    saved = desk.switch(alice, True)
    assert desk.configuration.enabled
    assert "published later, Redis does not answer" in caplog.text
    with pytest.raises(redis.RedisError):
        relay.sweep()
    own_redis.start()
    assert relay.sweep() == 3  # an empty Redis is behind in all three environments
    assert own_shelf.head().version == saved.version
    own_shelf.assert_current()
    assert relay.sweep() == 0


@pytest.mark.django_db(transaction=True)
def test_change__with_redis_frozen__is_saved_without_a_long_wait(
    desk: Desk, own_redis: RedisServer, own_shelf: Shelf, alice: User
) -> None:
    relay.sweep()
    own_redis.freeze()
    started = time.monotonic()
    desk.switch(alice, True)
    assert time.monotonic() - started < 1.5
    assert desk.configuration.enabled
    own_redis.thaw()
    assert relay.sweep() == 1
    own_shelf.assert_current()


@pytest.mark.django_db(transaction=True)
def test_run__redis_killed_and_back_empty__publishes_again_and_logs_both_ends(
    desk: Desk, own_redis: RedisServer, own_shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()

    def run() -> None:
        try:
            relay.run(stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: own_shelf.store.exists(own_shelf.keys.head), what="the first sweep")
        own_redis.kill()
        wait_until(lambda: "relay: Redis does not answer" in caplog.text, what="the complaint")
        own_redis.start()
        wait_until(lambda: own_shelf.store.exists(own_shelf.keys.head), what="the return")
        wait_until(lambda: "relay: publishing again" in caplog.text, what="the all-clear")
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
    assert caplog.text.count("relay: Redis does not answer") == 1
    own_shelf.assert_current()
