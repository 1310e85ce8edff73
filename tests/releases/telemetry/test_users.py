"""How many users a step reaches: from whom an evaluator answered to the preview and the page."""

import re

import pytest
from django.test import Client

from flags.delivery import relay
from flags.delivery.users import users_of
from flags.models import Flag
from portal.access.models import Environment, User
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.releases.telemetry.conftest import Application, application
from tests.releases.web.looking import plain, text
from tests.support.releasing import DIGEST, a_release, routed_by_flag
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FLAGS = "/ofrep/v1/evaluate/flags"
FORM = {
    "environment": "production",
    "service": "checkout",
    "version": "2.0",
    "digest": DIGEST,
    "strategy": "canary",
    "steps[0].share": "5",
    "steps[1].share": "100",
    "when": "now",
}


def ask(shop: Application, path: str, users: range) -> None:
    for user in users:
        body = {"context": {"targetingKey": f"user {user}"}}
        answer = shop.evaluator.http.post(FLAGS + path, json=body, headers=shop.headers)
        assert answer.status_code == 200


def test_users__that_server_keys_asked_for__are_told_by_preview_and_page(
    published_evaluator: EvaluatorProcess,
    production: Environment,
    alice: User,
    alice_client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = routed_by_flag(production)
    flag = service.project.flags.get(key="checkout-route")
    shop = application(published_evaluator, production)
    assert "unknown goes on if" in _preview(alice_client)
    for _again in range(2):
        ask(shop, "/checkout-route", range(150))
    ask(shop, "", range(140, 200))  # all flags at once
    ask(application(published_evaluator, production, "client"), "", range(900, 950))
    wait_until(lambda: 195 <= _count(flag, production) <= 205)
    preview = _preview(alice_client)
    assert "about 10 " in preview
    assert "all, about 200 " in preview
    assert "Server keys asked for about 200 users since" in preview
    release = a_release(service, production, alice)
    page = text(alice_client, f"/p/shop/releases/{release.pk}/")
    assert re.search(r"about (9\d|100) users", page)  # the step of 50 %
    client = relay.connection()
    held = [client.ttl(name) for name in client.scan_iter("aviary:*:users:*")]
    assert held
    assert all(0 < one <= 2 * 86_400 for one in held)
    monkeypatch.setattr("flags.delivery.users.ask", lambda _questions: None)
    assert "unknown goes on if" in _preview(alice_client)


def test_users_of_a_public_flag__that_client_keys_alone_asked_for__are_told_as_such(
    published_evaluator: EvaluatorProcess,
    production: Environment,
    new_checkout: Flag,
) -> None:
    Flag.objects.filter(pk=new_checkout.pk).update(client_visible=True)
    flag = Flag.objects.get(pk=new_checkout.pk)
    ask(application(published_evaluator, production, "client"), "", range(30))
    wait_until(lambda: _count(flag, production) == 30)
    found = users_of(flag, production)
    assert found
    assert found.by_client


def _count(flag: Flag, environment: Environment) -> int:
    found = users_of(flag, environment)
    return found.count if found else 0


def _preview(client: Client) -> str:
    return plain(client.post("/p/shop/releases/preview", FORM))
