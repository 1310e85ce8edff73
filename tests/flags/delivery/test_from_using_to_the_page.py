"""When keys were last used: from a request to the page of keys, through real processes."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from flags import tasks
from flags.channel import KEY_USE, IntakeBatch
from flags.delivery import intake, relay
from flags.evaluator.intake_queue import minute_of
from flags.models import Flag
from portal.access import services
from portal.access.models import ApiKey, Environment
from portal.lib.journal import Intent
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.flags.evaluator.shop import FLAGS
from tests.support.people import SETTING_UP
from tests.support.waiting import wait_until


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

    def last_use() -> datetime | None:
        tasks.take_intake()
        return ApiKey.objects.get(pk=issued.key.pk).last_used_at

    used_at = wait_until(last_use)
    assert used_at
    assert now - timedelta(seconds=1) <= used_at <= datetime.now(UTC)
    assert f"{used_at:%Y-%m-%d %H:%M} UTC" in alice_client.get("/p/shop/keys/").content.decode()


def test_last_use__moves_forward_only_and_never_into_the_future(
    production: Environment, now: datetime
) -> None:
    key = services.issue_key(
        environment=production, kind="server", name="Shop", intent=Intent(SETTING_UP, at=now)
    ).key

    def kept_after(*instants: float) -> datetime | None:
        at = now.timestamp()
        rows = [{key.selector: one, "x" * 16: one} for one in instants]
        batches = [IntakeBatch(KEY_USE, minute_of(at), at, row) for row in rows]
        intake.take(KEY_USE, batches, now=now)
        key.refresh_from_db()
        return key.last_used_at

    earlier = int(now.timestamp()) - 100
    assert kept_after(earlier - 10, earlier + 0.5, earlier) == datetime.fromtimestamp(
        earlier + 0.5, UTC
    )
    for other in (earlier - 50, float("nan"), -1, 1e400):
        assert kept_after(other) == datetime.fromtimestamp(earlier + 0.5, UTC)
    assert kept_after(9_999_999_999) == now
