"""Whom evaluators send where: users who do not come as they should, or who see both versions."""

from itertools import count, islice

import pytest
from django.conf import settings
from django.test import Client

from flags.channel import Sealer
from flags.channel.exposures import EXPOSE_SCRIPT, EXPOSED, READ_SCRIPT, WANT_SCRIPT
from flags.delivery import relay
from flags.engine import compile_flag
from portal.access.models import Environment, User
from portal.lib.journal import Intent
from releases.catalogue.models import Service
from releases.core import commands
from releases.core.descriptions import hold_words, outcome_words
from releases.core.models import Release
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.releases.telemetry.conftest import Application, application
from tests.releases.web.looking import text
from tests.support.people import acting
from tests.support.releasing import (
    BY_FLAG,
    ROUTE,
    a_release,
    a_setup,
    fresh,
    routed_by_flag,
    routing_document,
    tick,
)
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/ofrep/v1/evaluate/flags/checkout-route"
PLAN = {
    "steps": [{"share": 25, "soak_s": 3600}, {"share": 50, "soak_s": 3600}, {"share": 100}],
    "proof_of_return": False,
}


def ask(shop: Application, user: str, **also: object) -> str:
    """The variant that a user gets."""
    body = {"context": {"targetingKey": user, **also}}
    answer = shop.evaluator.http.post(PATH, json=body, headers=shop.headers)
    assert answer.status_code == 200
    return str(answer.json()["variant"])


def watched(shop: Application, release: Release) -> None:
    """Wait until the evaluator looks at the release: it asks every two seconds what to look at."""
    number = 0

    def is_counted() -> bool:
        nonlocal number
        number += 1
        ask(shop, f"first {number}", visit=f"first {number}")
        return bool(tick(release).exposed.get("first"))

    wait_until(is_counted)
    ask(shop, "marker", visit="marker")
    wait_until(lambda: is_told(release, "marker"))


def is_told(release: Release, user: str) -> bool:
    """Whether the evaluator has told of a user; then it has of all whom it was asked for before."""
    mark = Sealer(settings.SNAPSHOT_KEY).hash_user(f"{release.pk}\0unit {user}")
    users = f"aviary:{{env:{release.environment_id}}}:exposed:{release.pk}"
    return bool(relay.connection().hexists(users, mark))


def users(release: Release) -> int:
    return sum(sum(counts) for counts in tick(release).exposed["first"].values())


@pytest.fixture
def service(published_evaluator: EvaluatorProcess, production: Environment) -> Service:
    return routed_by_flag(production, checks=())


@pytest.fixture
def shop(
    published_evaluator: EvaluatorProcess, service: Service, production: Environment
) -> Application:
    return application(published_evaluator, production)


@pytest.fixture
def canary(shop: Application, service: Service, production: Environment, alice: User) -> Release:
    release = tick(a_release(service, production, alice, plan=PLAN))
    wait_until(lambda: ask(shop, "somebody") in ("green", "blue", "baseline"))
    watched(shop, release)
    return fresh(release)


def test_users__who_come_as_they_are_sent__are_counted_once_and_shown(
    canary: Release, shop: Application, alice_client: Client
) -> None:
    before = users(canary)
    variants = [ask(shop, f"user {number}") for _again in range(2) for number in range(300)]
    wait_until(lambda: is_told(canary, "user 299"))
    found = tick(canary)
    assert (found.state, found.holds) == ("running", [])
    (counts,) = found.exposed["first"].values()
    assert counts[0] >= variants[:300].count("green")
    assert users(canary) == before + 300
    for number in range(30):
        ask(shop, f"tester {number}", aviary_tester=canary.router["tester"])
    ask(shop, "the last")
    wait_until(lambda: is_told(canary, "the last"))
    assert users(canary) == before + 301  # whom rules serve are in no arm
    page = text(alice_client, f"/p/shop/releases/{canary.pk}/")
    assert f"Of {before + 301} users" in page


def of_variant(release: Release, variant: str, number: int) -> list[str]:
    """So many users who get a variant by what the flag's configuration says."""
    document = routing_document(release) | {"key": "f", "client_visible": False, "version": 1}
    definition = {"value_type": "string", "variants": ROUTE["variants"]}
    flag = compile_flag(document | definition)
    names = (f"user {number}" for number in count())
    found = (one for one in names if flag.evaluate({"targetingKey": one}).variant == variant)
    return list(islice(found, number))


def test_users_of_one_side__who_are_never_asked_for__hold_it_until_a_person_goes_on(
    canary: Release, shop: Application, alice: User
) -> None:
    before = users(canary)
    for user in [*of_variant(canary, "green", 20), *of_variant(canary, "blue", 300)]:
        ask(shop, user)
    wait_until(lambda: users(canary) == before + 320)
    held = tick(canary)
    (hold,) = held.holds
    assert hold["cause"] == "sample_ratio"
    assert "got the new version, " in hold_words(held, hold)
    assert "Users do not come in the shares that are set" in hold_words(held, hold)
    commands.promote(release=held, intent=Intent(acting(alice), "bots, they are gone"))
    gone_on = tick(canary)
    assert (gone_on.step, gone_on.holds) == (1, [])


def test_a_plan__may_go_back_for_it(
    shop: Application, service: Service, production: Environment, alice: User
) -> None:
    plan = PLAN | {"on": {"sample_ratio": "roll_back"}}
    release = tick(a_release(service, production, alice, plan=plan))
    watched(shop, release)
    for user in of_variant(fresh(release), "green", 150):
        ask(shop, user)
    wait_until(lambda: tick(release).state == "rolled_back")
    assert "users did not come in the shares that were set" in outcome_words(fresh(release))


def test_users__who_are_bucketed_by_something_that_changes__see_both(
    shop: Application, service: Service, production: Environment, alice: User
) -> None:
    a_setup(service, production, router=BY_FLAG | {"flag": "checkout-route", "bucket_by": "visit"})
    release = tick(a_release(service, production, alice, plan=PLAN))
    watched(shop, release)
    for number in range(40):
        for visit in range(12):
            ask(shop, f"user {number}", visit=f"visit {visit} of {number}")
    wait_until(lambda: sum(tick(release).exposed["both"].values()) >= 20)
    held = tick(release)
    assert [one["cause"] for one in held.holds] == ["both_arms"]
    assert "Users see both versions, so nothing compares." in hold_words(held, held.holds[0])


def test_what_is_kept__is_bounded_and_ends__and_without_redis_it_goes_on(
    canary: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = relay.connection()
    mine, counts = (f"aviary:{{env:{canary.environment_id}}}:exposed:t{end}" for end in ("", "c"))
    hashes = [bytes([255, number]) for number in range(20)] + [bytes([3, n]) for n in range(20)]
    told = [part for one in hashes for part in (one, "7", "c")]
    assert client.eval(EXPOSE_SCRIPT, 2, mine, counts, 60, 10, *told) == 11
    assert client.hgetall(counts) == {b"7:c": b"11"}
    assert 0 < client.ttl(mine) <= 60
    real = f"aviary:{{env:{canary.environment_id}}}:exposed:{canary.pk}"
    assert 29 * 86_400 < client.ttl(real) <= 30 * 86_400
    assert all(len(name) == 8 for name in client.hkeys(real))
    client.zadd(EXPOSED, {b"old": 1})
    client.eval(WANT_SCRIPT, 1, EXPOSED, b"new")
    assert b"new" in client.eval(READ_SCRIPT, 1, EXPOSED, 120)
    assert b"old" not in client.zrange(EXPOSED, 0, -1)
    before = tick(canary).exposed["first"]
    monkeypatch.setattr("flags.delivery.exposures.ask", lambda _questions: None)
    assert tick(canary).exposed["first"] == before
