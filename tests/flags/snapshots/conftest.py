"""A real Redis, empty at first, and a flag of the shop to publish to it."""

from collections.abc import Iterator
from datetime import datetime

import pytest
import redis
from django.conf import settings
from pytest_django import Settings

from flags.channel import Sealer
from flags.models import Flag
from flags.snapshots import relay
from flags.snapshots.publisher import Publisher
from portal.access.models import Environment
from tests.flags.services.writes import Desk
from tests.flags.snapshots.shelf import Shelf
from tests.support import settings_env
from tests.support.redis_server import RedisServer


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """The Redis of the settings, with nothing in it."""
    with redis_server.client() as client:
        client.flushall()
        yield client


@pytest.fixture
def publisher(store: redis.Redis) -> Publisher:
    return Publisher(store, Sealer(settings.SNAPSHOT_KEY))


@pytest.fixture
def desk(new_checkout: Flag, production: Environment, now: datetime) -> Desk:
    return Desk(new_checkout, production, now)


@pytest.fixture
def shelf(store: redis.Redis, production: Environment) -> Shelf:
    """What Redis holds of production."""
    return Shelf(store, production.pk)


@pytest.fixture
def own_redis(settings: Settings) -> Iterator[RedisServer]:
    """A Redis to mistreat; the settings name it for as long."""
    server = RedisServer(settings_env.temporary_folder())
    server.start()
    settings.REDIS_URL = server.url
    relay._publisher.cache_clear()
    relay._redis.cache_clear()
    yield server
    server.kill()
    relay._publisher.cache_clear()
    relay._redis.cache_clear()
