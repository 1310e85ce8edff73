"""A Redis and an evaluator for the whole session; faults get a pair of their own.

Each test publishes an environment of its own, so that none sees another's flags.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.flags.evaluator.publisher import Key, Publisher, new_key
from tests.flags.evaluator.servers import EvaluatorProcess, RedisServer
from tests.flags.evaluator.shop import Shop


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[tuple[RedisServer, EvaluatorProcess]]:
    redis_server = RedisServer(folder)
    redis_server.start()
    evaluator = EvaluatorProcess(redis_server.url, folder)
    evaluator.start()
    try:
        yield redis_server, evaluator
    finally:
        evaluator.stop()
        redis_server.kill()


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[RedisServer, EvaluatorProcess]]:
    with _running(tmp_path_factory.mktemp("shared")) as pair:
        yield pair


@pytest.fixture
def evaluator(shared: tuple[RedisServer, EvaluatorProcess]) -> EvaluatorProcess:
    return shared[1]


@pytest.fixture
def redis_client(shared: tuple[RedisServer, EvaluatorProcess]) -> Iterator[redis.Redis]:
    with shared[0].client() as client:
        yield client


@pytest.fixture
def portal(redis_client: redis.Redis) -> Publisher:
    return Publisher(redis_client)


@pytest.fixture
def server_key() -> Key:
    return new_key("server")


@pytest.fixture
def client_key() -> Key:
    return new_key("client")


@pytest.fixture
def shop(evaluator: EvaluatorProcess, portal: Publisher, server_key: Key) -> Shop:
    return Shop(portal, evaluator, server_key)


@pytest.fixture
def neighbour(evaluator: EvaluatorProcess, redis_client: redis.Redis) -> Shop:
    """Another environment of the same evaluator."""
    return Shop(Publisher(redis_client), evaluator, new_key("server"))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[RedisServer, EvaluatorProcess]]:
    """A Redis to mistreat, and an evaluator that follows it."""
    with _running(tmp_path) as pair:
        yield pair


@pytest.fixture
def own_redis(own: tuple[RedisServer, EvaluatorProcess]) -> RedisServer:
    return own[0]


@pytest.fixture
def own_evaluator(own: tuple[RedisServer, EvaluatorProcess]) -> EvaluatorProcess:
    return own[1]


@pytest.fixture
def own_portal(own_redis: RedisServer) -> Iterator[Publisher]:
    with own_redis.client() as client:
        yield Publisher(client)


@pytest.fixture
def own_shop(own_portal: Publisher, own_evaluator: EvaluatorProcess, server_key: Key) -> Shop:
    return Shop(own_portal, own_evaluator, server_key)
