"""What applications ask with, through an evaluator, Redis and the worker to a change request."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import httpx
import pytest
from django.conf import settings
from django.test import Client

from flags import tasks
from flags.channel import SAMPLES, read_samples
from flags.delivery import relay
from flags.models import ContextSample, Flag
from flags.usage.sampling import set_sampling
from portal.access import services
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.lib.journal import Intent
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.flags.evaluator.shop import FLAGS
from tests.support import waiting_batches
from tests.support.agreeing import set_policy, waiting
from tests.support.desk import COUNTRY, RULE, Desk
from tests.support.people import SETTING_UP, acting
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

SECRET = "secret-of-nobody"
PEOPLE: list[dict[str, object]] = [
    {"targetingKey": f"person-{n}", "country": "DE" if n < 3 else "FR", "card": SECRET}
    for n in range(8)
]


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


def waiting_contexts(server: RedisServer) -> list[dict[str, Any]]:
    with server.client() as client:
        waiting = waiting_batches.read(client, SAMPLES, settings.SNAPSHOT_KEY)
    found = [one for batch in waiting for one in read_samples(batch)]
    return [context for one in found for context in one.contexts]


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
    tasks.take_intake()
    assert waiting_contexts(redis_server) == []
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
    with server.client() as client:
        everything = cast(bytes, client.dump(SAMPLES.stream))
        assert 0 < cast(int, client.ttl(SAMPLES.stream)) <= 900
    for text in (SECRET, "person-"):
        assert text.encode() not in everything
        assert text not in evaluator.log()


def _check_what_is_stored() -> None:
    """The same context is one row, and none can be read without the key."""
    rows = ContextSample.objects.all()
    assert len(rows) == 3
    stored = b"".join(bytes(row.content) + row.digest.encode() for row in rows)
    for text in (SECRET, "person-", "country", "DE"):
        assert b'"%s' % text.encode() not in stored
