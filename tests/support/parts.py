"""The real parts that tests work with: databases, Redis, the whole product."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from flags.delivery import relay
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.support import append_only, migrated, postgres, settings_env
from tests.support.redis_server import RedisServer
from tests.support.settings_env import SECRETS
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis of ``settings.REDIS_URL``. Who breaks it takes one of their own instead."""
    server = RedisServer(Path(os.environ["AVIARY_VAR"]))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def published_evaluator(redis_server: RedisServer, tmp_path: Path) -> Iterator[EvaluatorProcess]:
    """An evaluator that follows what this portal publishes."""
    redis_server.restart_empty()
    relay._publisher.cache_clear()
    relay._redis.cache_clear()
    evaluator = EvaluatorProcess(settings.REDIS_URL, tmp_path, snapshot_key=SECRETS["SNAPSHOT_KEY"])
    evaluator.start()
    yield evaluator
    evaluator.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, redis_server: RedisServer
) -> None:
    """SQLite in a file, as it is in use: in memory it knows neither WAL nor two writers."""
    append_only.let_flush_pass()
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        file = Path(os.environ["AVIARY_VAR"]) / "test.sqlite3"
        migrated.copy_to(file)
        database.setdefault("TEST", {})["NAME"] = str(file)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The file that was put there is kept; it goes with its folder."""
    return str(settings.DATABASES["default"]["ENGINE"]).endswith("sqlite3")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole product with its demo data, for all tests that leave it working."""
    folder = settings_env.temporary_folder() / "var"
    with ExitStack() as parts:
        server = os.environ.get(settings_env.DATABASE_SETTING)
        chosen = {}
        if server:
            name = f"stack_{secrets.token_hex(4)}"
            chosen["DATABASE_URL"] = parts.enter_context(postgres.database(server, name))
        whole = Stack(folder, settings=chosen)
        try:
            whole.start()
            yield whole
            whole.stop()
        finally:
            whole.kill()
