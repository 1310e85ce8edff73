"""What an application asks for, through an evaluator, Redis and the worker's task to the pages."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from flags import tasks
from flags.channel import USAGE_STREAM
from flags.models import Flag, UnknownFlag
from flags.snapshots import relay
from portal.access import services
from portal.access.models import Environment
from portal.lib.journal import Intent
from tests.flags.evaluator.servers import EvaluatorProcess, wait_until
from tests.flags.evaluator.shop import FLAGS
from tests.flags.usage.conftest import counted
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
def test_from_a_request_to_the_page_of_usage(
    published_evaluator: EvaluatorProcess,
    redis_server: RedisServer,
    production: Environment,
    new_checkout: Flag,
    alice_client: Client,
    now: datetime,
) -> None:
    issued = services.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(SETTING_UP, at=now)
    )
    relay.sweep()
    http, headers = published_evaluator.http, {"X-API-Key": str(issued.token)}

    def ask(key: str) -> int:
        return http.post(f"{FLAGS}/{key}", json={"context": {}}, headers=headers).status_code

    wait_until(lambda: ask(new_checkout.key) == 200)
    assert ask(new_checkout.key) == 200
    assert ask("old-checkout") == 404
    published_evaluator.stop()
    with redis_server.client() as client:
        client.xadd(USAGE_STREAM, {"batch": b"noise"})
        client.xadd(USAGE_STREAM, {"other": b"noise"})
    tasks.keep_usage()
    tasks.keep_usage()
    with redis_server.client() as client:
        assert client.xlen(USAGE_STREAM) == 0
    assert counted() == {("off", "DISABLED"): 2}
    assert UnknownFlag.objects.get().name == "old-checkout"
    page = alice_client.get("/p/shop/flag/usage/new-checkout").content.decode()
    assert 'data-value="2"' in page
    assert "Asked for <strong>2</strong> times." in page
    published_evaluator.start()


@pytest.mark.django_db
def test_redis_away__the_task_waits_for_the_next_time(redis_server: RedisServer) -> None:
    redis_server.kill()
    relay._redis.cache_clear()
    try:
        tasks.keep_usage()
    finally:
        redis_server.start()
