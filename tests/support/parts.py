"""The real parts that tests work with: databases, Redis, the whole product."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from tests.support import append_only, migrated, postgres, settings_env
from tests.support.redis_server import RedisServer
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The Redis of ``settings.REDIS_URL``. Who breaks it takes one of their own instead."""
    server = RedisServer(Path(os.environ["AVIARY_VAR"]))
    server.start()
    yield server
    server.kill()


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
