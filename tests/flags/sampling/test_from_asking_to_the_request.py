"""What applications ask with, through an evaluator, Redis and the worker to a change request."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from django.conf import settings
from django.test import Client

from flags import tasks
from flags.channel import SAMPLES_STREAM, Sealer, open_samples
from flags.models import ContextSample, Flag
from flags.services.sampling import set_sampling
from flags.snapshots import relay
from portal.access import services
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.lib.journal import Intent
from tests.flags.evaluator.servers import EvaluatorProcess, wait_until
from tests.flags.evaluator.shop import FLAGS
from tests.flags.services.writes import COUNTRY, RULE, Desk
from tests.support.agreeing import set_policy, waiting
from tests.support.people import SETTING_UP, acting
from tests.support.redis_server import RedisServer
from tests.support.settings_env import SECRETS

Entries = list[tuple[bytes, dict[bytes, bytes]]]
SECRET = "secret-of-nobody"
PEOPLE: list[dict[str, object]] = [
    {"targetingKey": f"person-{n}", "country": "DE" if n < 3 else "FR", "card": SECRET}
    for n in range(8)
]


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


@dataclass(frozen=True)
class Shop:
    """An application that asks for a flag."""

    http: httpx.Client
    token: str

    def ask(self, context: dict[str, object], path: str = f"{FLAGS}/new-checkout") -> int:
        """The version it was answered from; 0 where it was not."""
        headers = {"X-API-Key": self.token}
        answer = self.http.post(path, json={"context": context}, headers=headers)
        return int(answer.headers["x-aviary-version"]) if answer.status_code == 200 else 0


def entries(server: RedisServer) -> list[dict[bytes, bytes]]:
    with server.client() as client:
        return [fields for _place, fields in cast(Entries, client.xrange(SAMPLES_STREAM))]


def waiting_contexts(server: RedisServer) -> list[dict[str, Any]]:
    sealer = Sealer(settings.SNAPSHOT_KEY)
    batches = [open_samples(fields, sealer) for fields in entries(server)]
    return [context for batch in batches if batch for context in batch.contexts]


@pytest.mark.django_db(transaction=True)
def test_from_asking_to_the_page_of_a_request(
    published_evaluator: EvaluatorProcess,
    redis_server: RedisServer,
    new_checkout: Flag,
    production: Environment,
    alice: User,
    alice_client: Client,
    now: datetime,
) -> None:
    desk = Desk(new_checkout, production, now)
    desk.save(alice, enabled=True, rules=[RULE], fallthrough={"variant": "off"})
    issued = services.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(SETTING_UP, at=now)
    )
    relay.sweep()
    shop = Shop(published_evaluator.http, str(issued.token))
    wait_until(lambda: shop.ask({"country": "never, for it is off"}))
    set_sampling(project=new_checkout.project, sampled=True, intent=Intent(acting(alice), at=now))
    production.refresh_from_db()
    wait_until(lambda: shop.ask({}) == production.version)
    for person in PEOPLE:
        assert shop.ask(person)
    assert shop.ask(PEOPLE[0], FLAGS)
    published_evaluator.stop()
    _check_what_waits(published_evaluator, redis_server)
    tasks.keep_samples()
    assert entries(redis_server) == []
    _check_what_is_stored()
    set_policy(production, required_approvals=1)
    with pytest.raises(Waiting) as error:
        desk.save(alice, rules=[{**RULE, "when": {**COUNTRY, "values": ["FR"]}}])
    page = alice_client.get(f"/p/shop/changes/{waiting(error).pk}").content.decode()
    assert "2 of 3 sampled contexts would get something else." in page
    assert "on → off: 1 of 3" in page
    assert "off → on: 1 of 3" in page
    assert "country = DE" in page
    assert "3 sampled contexts can tell: too few to rely on." in page
    published_evaluator.start()


def _check_what_waits(evaluator: EvaluatorProcess, server: RedisServer) -> None:
    """Nothing but the one attribute that is read, and nothing from before; and not for long."""
    kept = waiting_contexts(server)
    assert {one.get("country") for one in kept} == {None, "DE", "FR"}
    assert all(one.keys() <= {"country"} for one in kept)
    everything = b"".join(value for fields in entries(server) for value in fields.values())
    for text in (SECRET, "person-"):
        assert text.encode() not in everything
        assert text not in evaluator.log()
    with server.client() as client:
        assert 0 < cast(int, client.ttl(SAMPLES_STREAM)) <= 600
        client.xadd(SAMPLES_STREAM, {"environment": b"1", "sealed": b"noise"})


def _check_what_is_stored() -> None:
    """The same context is one row, and none can be read without the key."""
    rows = ContextSample.objects.all()
    assert len(rows) == 3
    stored = b"".join(bytes(row.content) + row.digest.encode() for row in rows)
    for text in (SECRET, "person-", "country", "DE"):
        assert b'"%s' % text.encode() not in stored
