"""The shop as most tests of flags want it: somebody about to change one, a script, and a Redis."""

from collections.abc import Iterator
from datetime import datetime

import pytest
import redis
from django.conf import settings

from flags.channel import Sealer
from flags.delivery.publisher import Publisher
from flags.models import Flag
from portal.access.models import Environment
from tests.support.bench import Bench
from tests.support.desk import Desk
from tests.support.redis_server import RedisServer
from tests.support.script import Script, issue
from tests.support.shelf import Shelf


@pytest.fixture
def desk(new_checkout: Flag, production: Environment, now: datetime) -> Desk:
    """A flag of the shop, with somebody about to change it in production."""
    return Desk(new_checkout, production, now)


@pytest.fixture
def bench(desk: Desk) -> Bench:
    """The same, to make segments and exclusion groups for it."""
    return Bench(desk)


@pytest.fixture
def script(production: Environment) -> Script:
    """A script with an admin key for the shop's production."""
    return Script(issue(production))


@pytest.fixture
def flag(new_checkout: Flag) -> str:
    """The key of a flag of the shop, off everywhere."""
    return new_checkout.key


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
