"""When keys were last used: from a request to the page of keys, through real processes."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from flags import tasks
from flags.channel import KEYS_USED
from flags.models import Flag
from flags.snapshots import relay
from portal.access import services
from portal.access.models import ApiKey, Environment
from portal.lib.journal import Intent
from tests.flags.evaluator.servers import EvaluatorProcess, wait_until
from tests.flags.evaluator.shop import FLAGS
from tests.support.people import SETTING_UP
from tests.support.redis_server import RedisServer
from tests.support.settings_env import SECRETS


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


@pytest.mark.django_db(transaction=True)
def test_from_a_request_to_the_page_of_keys(
    published_evaluator: EvaluatorProcess,
    production: Environment,
    new_checkout: Flag,
    alice_client: Client,
    now: datetime,
) -> None:
    issued = services.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(SETTING_UP, at=now)
    )
    assert "never" in alice_client.get("/p/shop/keys/").content.decode()
    relay.sweep()
    headers = {"X-API-Key": str(issued.token)}
    address = f"{FLAGS}/{new_checkout.key}"
    ask = published_evaluator.http.post

    wait_until(lambda: ask(address, json={"context": {}}, headers=headers).status_code == 200)
    wait_until(relay.read_keys_used, within_s=3)
    tasks.keep_key_use()
    used_at = ApiKey.objects.get(pk=issued.key.pk).last_used_at
    assert used_at
    assert now - timedelta(seconds=1) <= used_at <= datetime.now(UTC)
    assert f"{used_at:%Y-%m-%d %H:%M} UTC" in alice_client.get("/p/shop/keys/").content.decode()


def test_what_redis_says__moves_forward_only_and_never_into_the_future(
    redis_server: RedisServer, production: Environment, now: datetime
) -> None:
    redis_server.restart_empty()
    relay._redis.cache_clear()
    key = services.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(SETTING_UP, at=now)
    ).key

    def kept_after(value: str) -> datetime | None:
        with redis_server.client() as client:
            client.hset(KEYS_USED, key.selector, value)
            client.hset(KEYS_USED, "x" * 16, value)  # of a key that is gone
            client.hset(KEYS_USED, os.urandom(4), b"\xff")
        tasks.keep_key_use()
        key.refresh_from_db()
        return key.last_used_at

    earlier = int(now.timestamp()) - 100
    assert kept_after(f"{earlier}.5") == datetime.fromtimestamp(earlier + 0.5, UTC)
    assert kept_after(f"{earlier - 50}") == datetime.fromtimestamp(earlier + 0.5, UTC)
    for malformed in ("nan", "-1", "1e400", "", "99999999999999"):
        assert kept_after(malformed) == datetime.fromtimestamp(earlier + 0.5, UTC)
    future = kept_after("9999999999")
    assert future
    assert future <= datetime.now(UTC)


def test_redis_away__the_task_waits_for_the_next_time(redis_server: RedisServer, db: None) -> None:
    redis_server.kill()
    relay._redis.cache_clear()
    try:
        tasks.keep_key_use()
    finally:
        redis_server.start()
