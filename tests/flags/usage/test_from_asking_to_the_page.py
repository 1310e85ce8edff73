"""What an application asks for, through an evaluator, Redis and the worker's task to the pages."""

from datetime import datetime

import pytest
from django.test import Client

from flags import tasks
from flags.delivery import relay
from flags.models import Flag, UnknownFlag
from portal.access import services
from portal.access.models import Environment
from portal.lib.journal import Intent
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.flags.evaluator.shop import FLAGS
from tests.flags.usage.conftest import counted
from tests.support.people import SETTING_UP
from tests.support.waiting import wait_until


@pytest.mark.django_db(transaction=True)
def test_from_a_request_to_the_page_of_usage(
    published_evaluator: EvaluatorProcess,
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
    tasks.take_intake()
    tasks.take_intake()
    assert counted() == {("off", "DISABLED"): 2}
    assert UnknownFlag.objects.get().name == "old-checkout"
    page = alice_client.get("/p/shop/flag/usage/new-checkout").content.decode()
    assert 'data-value="2"' in page
    assert "Evaluated <strong>2</strong> times." in page
    assert "usage-dropped" not in page
    published_evaluator.start()
