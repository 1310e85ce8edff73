"""A flag of the shop, and somebody about to make segments and exclusion groups for it."""

from collections.abc import Iterator
from datetime import datetime

import pytest
import redis
from django.conf import settings

from flags.channel import Sealer
from flags.models import Flag
from flags.snapshots.publisher import Publisher
from portal.access.models import Environment
from tests.flags.cohorts.bench import Bench
from tests.flags.services.writes import Desk
from tests.flags.snapshots.shelf import Shelf
from tests.support.redis_server import RedisServer


@pytest.fixture
def desk(new_checkout: Flag, production: Environment, now: datetime) -> Desk:
    return Desk(new_checkout, production, now)


@pytest.fixture
def bench(desk: Desk) -> Bench:
    return Bench(desk)


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
def shelf(store: redis.Redis, production: Environment) -> Shelf:
    """What Redis holds of production."""
    return Shelf(store, production.pk)
