"""A change that has not arrived at every evaluator never looks done."""

import time
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.test import Client

from flags.channel import EnvironmentKeys, Sealer
from flags.channel.reports import REPORT_SCRIPT, Report
from flags.delivery import progress, relay
from flags.delivery.progress import Arrival
from flags.models import Flag
from portal.access.models import Environment
from tests.flags.evaluator.servers import EvaluatorProcess
from tests.support import settings_env
from tests.support.redis_server import RedisServer
from tests.support.script import Script, issue
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def evaluator(
    own_redis: RedisServer, new_checkout: Flag, development: Environment
) -> Iterator[EvaluatorProcess]:
    """A real one that reports what it has, the flag included."""
    relay.sweep()
    key = settings.SNAPSHOT_KEY.decode()
    process = EvaluatorProcess(own_redis.url, settings_env.temporary_folder(), snapshot_key=key)
    process.start()
    places = development.project.environments.all()
    wait_until(lambda: {_arrival(one) for one in places} == {Arrival.LIVE}, what="all reports")
    yield process
    process.thaw()
    process.stop()


def _arrival(environment: Environment) -> Arrival:
    return progress.read([environment])[environment.pk].arrival


def _report(
    server: RedisServer, environment: Environment, *, version: int, key: bytes, age_s: int = 0
) -> None:
    """What an evaluator called “north” would have reported."""
    names = EnvironmentKeys(environment.pk)
    report = Report("north:8080#1", environment.epoch, version, 1.0)
    sealed = report.seal(Sealer(key), environment.pk)
    with server.client() as client:
        client.eval(REPORT_SCRIPT, 1, names.reports, report.evaluator, sealed)
        if age_s:
            at = int(time.time()) - age_s
            client.hset(names.reports, report.evaluator, b"%d:%b" % (at, sealed))


def _switch(client: Client, flag: Flag, environment: Environment, *, on: bool) -> str:
    path = f"/p/shop/flag/switch/{environment.key}/{flag.key}"
    answer = client.post(path, {"enabled": "1" if on else "0"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


def _mark(client: Client, flag: Flag, environment: Environment) -> str:
    path = f"/p/shop/flag/mark/{environment.key}/{flag.key}"
    return client.get(path, headers={"HX-Request": "true"}).content.decode().strip()


def test_toggle__every_evaluator_has_it__looks_done(
    evaluator: EvaluatorProcess,
    new_checkout: Flag,
    development: Environment,
    alice_client: Client,
) -> None:
    page = _switch(alice_client, new_checkout, development, on=True)
    assert "New checkout is on in Development." in page
    assert "arrival" not in page
    assert _mark(alice_client, new_checkout, development) == ""


def test_toggle__an_evaluator_hangs__says_so_until_it_has_it(
    evaluator: EvaluatorProcess,
    new_checkout: Flag,
    development: Environment,
    alice_client: Client,
) -> None:
    script = Script(issue(development))
    evaluator.freeze()
    page = _switch(alice_client, new_checkout, development, on=True)
    assert "New checkout, on in Development. Saved, not yet live: 1 of 1 evaluator behind" in page
    assert " is on in Development" not in page
    for path in ("/p/shop/flags/", f"/p/shop/flag/targeting/development/{new_checkout.key}"):
        assert alice_client.get(path).content.decode().count("Saved, not yet live: 1 of 1") == 1
    assert f":{evaluator.port}" in _mark(alice_client, new_checkout, development)
    many = {"action": "turn_off:development", "flag": new_checkout.key, "confirmed": "1"}
    done = alice_client.post("/p/shop/flags/many", many, headers={"HX-Request": "true"})
    assert "Saved, not yet live" in done.content.decode()
    path = f"/api/v1/projects/shop/environments/development/flags/{new_checkout.key}"
    version = script.get(path)["ETag"]
    patched = script.call("PATCH", path, {"enabled": True}, if_match=version)
    assert patched.json()["published"] is False
    evaluator.thaw()
    wait_until(lambda: not _mark(alice_client, new_checkout, development), what="no mark")
    saved = {**patched.json(), "enabled": False}  # with the field that the answer had
    saved = script.call("PUT", path, saved, if_match=patched["ETag"])
    assert (saved.status_code, saved.json()["published"]) == (200, True)


def test_toggle__redis_frozen__says_that_it_is_unknown_and_when_it_is_back(
    evaluator: EvaluatorProcess,
    own_redis: RedisServer,
    new_checkout: Flag,
    development: Environment,
    alice_client: Client,
) -> None:
    own_redis.freeze()
    try:
        page = _switch(alice_client, new_checkout, development, on=True)
        assert "Evaluators cannot be reached, so it is unknown whether they have it" in page
        assert _mark(alice_client, new_checkout, development)
        assert alice_client.get("/health").json()["status"] == "unknown"
    finally:
        own_redis.thaw()
    wait_until(lambda: relay.sweep() == 0, what="publishing")
    wait_until(lambda: not _mark(alice_client, new_checkout, development), what="no mark")
    assert alice_client.get("/health").json()["status"] == "ok"


def test_toggle__redis_full__is_behind_in_every_report(
    evaluator: EvaluatorProcess,
    own_redis: RedisServer,
    new_checkout: Flag,
    development: Environment,
    alice_client: Client,
) -> None:
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
        page = _switch(alice_client, new_checkout, development, on=True)
        assert "Saved, not yet live" in page
        health = alice_client.get("/health").json()
        assert (health["status"], health["evaluators"]["environments_behind"]) == ("behind", 1)
        wait_until(
            lambda: evaluator.health()["status"] == "degraded",
            what="the evaluator to notice",
        )
        client.config_set("maxmemory", "0")
    wait_until(lambda: relay.sweep() == 0, what="publishing")
    wait_until(lambda: _arrival(development) is Arrival.LIVE, what="the evaluator")


def test_toggle__no_evaluator_was_ever_there__says_so_calmly(
    own_redis: RedisServer, new_checkout: Flag, development: Environment, alice_client: Client
) -> None:
    relay.sweep()
    page = _switch(alice_client, new_checkout, development, on=True)
    assert "New checkout is on in Development." in page
    flags = alice_client.get("/p/shop/flags/").content.decode()
    assert "No evaluator has reported yet." in flags
    assert 'class="arrival"' not in flags


def test_reports__last_one_is_old__it_is_unknown_whether_any_has_it(
    own_redis: RedisServer, new_checkout: Flag, development: Environment, alice_client: Client
) -> None:
    relay.sweep()
    development.refresh_from_db()
    key = settings.SNAPSHOT_KEY
    _report(own_redis, development, version=development.version, key=key, age_s=40)
    _switch(alice_client, new_checkout, development, on=True)
    mark = _mark(alice_client, new_checkout, development)
    assert "No evaluator has reported for 4" in mark
    # What was not changed since has no mark.
    other = Environment.objects.get(project=development.project, key="production")
    assert _mark(alice_client, new_checkout, other) == ""


def test_reports__with_a_seal_of_somebody_else__count_for_nothing(
    own_redis: RedisServer, new_checkout: Flag, development: Environment
) -> None:
    relay.sweep()
    _report(own_redis, development, version=99, key=b"k" * 32)
    assert _arrival(development) is Arrival.UNUSED
    _report(own_redis, development, version=development.version - 1, key=settings.SNAPSHOT_KEY)
    assert _arrival(development) is Arrival.BEHIND


def test_reports__of_a_version_the_database_does_not_know__are_behind(
    own_redis: RedisServer, new_checkout: Flag, development: Environment
) -> None:
    relay.sweep()
    development.refresh_from_db()
    _report(own_redis, development, version=development.version + 5, key=settings.SNAPSHOT_KEY)
    assert _arrival(development) is Arrival.BEHIND


def test_evaluator__ends_properly__is_not_waited_for(
    evaluator: EvaluatorProcess,
    own_redis: RedisServer,
    development: Environment,
) -> None:
    evaluator.stop()
    with own_redis.client() as client:
        assert client.hlen(EnvironmentKeys(development.pk).reports) == 0
    assert _arrival(development) is Arrival.UNUSED
    evaluator.start()


def test_redis__wrong_type_of_reports__is_no_fault(
    own_redis: RedisServer, new_checkout: Flag, development: Environment, store: redis.Redis
) -> None:
    relay.sweep()
    with own_redis.client() as client:
        client.set(EnvironmentKeys(development.pk).reports, "not a hash")
    assert _arrival(development) is Arrival.UNUSED
