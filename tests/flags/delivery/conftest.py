"""A real Redis, empty at first, and a flag of the shop to publish to it."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from flags.delivery import relay
from tests.support import settings_env
from tests.support.redis_server import RedisServer


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
