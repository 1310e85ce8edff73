"""An installation of before, opened by the product of today."""

import base64
import json
import lzma
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import postgres, settings_env
from tests.support.mail_server import Inbox, mail_server
from tests.support.redis_server import RedisServer
from tests.support.stack import Stack

FOLDER = Path(__file__).parent / "before-trust"


@dataclass(frozen=True)
class Installation:
    """What was there: the database's address, a Redis that holds what it held, what is expected."""

    database_url: str
    redis: RedisServer
    inbox: Inbox
    stack: Stack
    expected: dict[str, Any]
    rows: dict[str, int] = field(default_factory=dict)
    """How many of each there were right after the migration."""

    def run_sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement, with ``?`` for each value; returns the rows that it answers."""
        if self.database_url.startswith("sqlite"):
            with closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"))) as lite:
                rows = lite.execute(statement, values).fetchall()
                lite.commit()
                return rows
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def before() -> Iterator[Installation]:
    """The installation as it was left, on the database of this run, migrated and not started."""
    folder = settings_env.temporary_folder() / "var"
    folder.mkdir(mode=0o700)
    with ExitStack() as parts:
        server = os.environ.get(settings_env.DATABASE_SETTING)
        files = FOLDER / ("postgresql" if server else "sqlite")
        if server:
            url = parts.enter_context(postgres.database(server, f"upgrade_{secrets.token_hex(4)}"))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(_read(files / "database.xz"))
        else:
            (folder / "aviary.sqlite3").write_bytes(_read(files / "database.xz"))
            url = f"sqlite:///{folder / 'aviary.sqlite3'}"
        redis = RedisServer(settings_env.temporary_folder())
        redis.start()
        parts.callback(redis.kill)
        _fill(redis, json.loads(_read(files / "redis.json.xz")))
        inbox, mail_port = parts.enter_context(mail_server())
        settings = settings_env.SECRETS | {
            "DATABASE_URL": url,
            "REDIS_URL": redis.url,
            "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}",
        }
        stack = Stack(folder, demo=False, settings=settings)
        parts.callback(stack.kill)
        expected = json.loads(_read(files / "expected.json.xz"))
        before = Installation(url, redis, inbox, stack, expected)
        _migrate(before)
        yield before


def _migrate(before: Installation) -> None:
    done = before.stack.manage("migrate", "--skip-checks", "--verbosity", "0")
    assert done.returncode == 0, done.stderr
    for label in before.expected["rows"]:
        table = label.lower().replace(".", "_")
        ((before.rows[label],),) = before.run_sql(f"SELECT count(*) FROM {table}")


def _read(file: Path) -> bytes:
    return lzma.decompress(file.read_bytes())


def _fill(redis: RedisServer, held: dict[str, dict[str, Any]]) -> None:
    """Give Redis what it held, by commands: older versions cannot read its own files."""
    with redis.client() as client:
        for name, one in held.items():
            value = one["value"]
            if one["type"] == "string":
                client.set(name, base64.b64decode(value))
            elif one["type"] == "hash":
                client.hset(name, mapping=_decoded(value))
            else:
                for place, fields in value:
                    client.xadd(name, _decoded(fields), id=place)


def _decoded(fields: dict[str, str]) -> dict[Any, Any]:
    return {base64.b64decode(name): base64.b64decode(value) for name, value in fields.items()}
