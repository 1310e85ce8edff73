"""Samples: kept where a project wants that, for a day and up to a number, and read for counts."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from flags.channel import SampleBatch
from flags.models import ContextSample
from flags.usage import impact, sampling
from flags.usage.sampling import (
    forget_old_samples,
    samples_of,
    set_sampling,
    take_samples,
)
from portal.access.models import Environment, Project, User
from portal.approvals.errors import Waiting
from portal.approvals.handlers import Effect, Flip, Impact
from portal.audit.models import AuditEvent
from portal.lib.errors import Forbidden
from portal.lib.journal import Intent
from tests.support.agreeing import set_policy, waiting
from tests.support.bench import GERMANS, Bench
from tests.support.desk import RULE, Desk
from tests.support.people import acting

READS = ("country", "email", "targetingKey")
OFF = {"variant": "off"}


@pytest.fixture
def sampled(shop: Project, alice: User, now: datetime) -> Project:
    set_sampling(project=shop, sampled=True, intent=Intent(acting(alice), at=now))
    return shop


def keep(
    place: Environment,
    at: datetime,
    *contexts: dict[str, object],
    reads: tuple[str, ...] = READS,
    now: datetime | None = None,
) -> None:
    batch = SampleBatch(place.pk, at.timestamp(), reads, contexts)
    take_samples([batch], now or at)


def german(number: int, country: str = "DE") -> dict[str, object]:
    return {"targetingKey": f"person-{number}", "country": country}


def shown(desk: Desk, **changes: object) -> Impact:
    """What other rules would do."""
    row = desk.configuration
    return impact.of_configuration(row, row.document | changes, now=desk.now)


# The setting


def test_the_setting__is_off_and_changed_by_who_may_with_an_audit_row_each(
    shop: Project, alice: User, dana: User, production: Environment, now: datetime
) -> None:
    version = production.version
    with pytest.raises(Forbidden):
        set_sampling(project=shop, sampled=True, intent=Intent(acting(dana), at=now))
    for wanted in (False, True, True):
        set_sampling(project=shop, sampled=wanted, intent=Intent(acting(alice), at=now))
    production.refresh_from_db()
    assert production.version == version + 1
    event = AuditEvent.objects.get(event="project.context_sampling_changed")
    assert event.subject == "shop"


def test_off__nothing_is_stored_and_what_was_is_gone(
    sampled: Project, alice: User, production: Environment, now: datetime
) -> None:
    keep(production, now, german(1))
    assert ContextSample.objects.count() == 1
    set_sampling(project=sampled, sampled=False, intent=Intent(acting(alice), at=now))
    assert not ContextSample.objects.exists()
    keep(production, now, german(1))
    assert not ContextSample.objects.exists()


def test_the_page__says_what_is_kept_and_switches(alice_client: Client, shop: Project) -> None:
    address = "/p/shop/flags/sampling"
    page = alice_client.get(address).content.decode()
    assert "For 24 hours, and at most 1000 contexts of each environment." in page
    assert not sampling.is_sampled(shop)
    alice_client.post(address, {"sampled": "1"})
    assert sampling.is_sampled(shop)
    alice_client.post(address, {})
    assert not sampling.is_sampled(shop)


# Keeping


def test_a_sample__after_a_day__is_not_read_and_then_deleted(
    sampled: Project, production: Environment, now: datetime
) -> None:
    keep(production, now, german(1))
    a_day = now + timedelta(hours=24)
    assert len(samples_of(production, now=a_day - timedelta(seconds=1))) == 1
    assert samples_of(production, now=a_day) == []
    forget_old_samples(now=a_day - timedelta(seconds=1))
    assert ContextSample.objects.exists()
    forget_old_samples(now=a_day)
    assert not ContextSample.objects.exists()


def test_a_batch__of_another_day_or_of_no_environment__is_not_kept(
    sampled: Project, production: Environment, now: datetime
) -> None:
    for hours in (-25, 1):
        keep(production, now + timedelta(hours=hours), german(1), now=now)
    gone = SampleBatch(10**9, now.timestamp(), READS, (german(1),))
    assert take_samples([gone], now) == 1
    assert not ContextSample.objects.exists()


def test_too_many__the_oldest_go(
    sampled: Project,
    production: Environment,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("flags.usage.sampling.MOST", 3)
    for number in range(5):
        keep(production, now - timedelta(minutes=5 - number), german(number), now=now)
    keep(production, now, german(2))
    kept = samples_of(production, now=now)
    assert [one.context["targetingKey"] for one in kept] == ["person-2", "person-4", "person-3"]


# What a change would do


@pytest.fixture
def served(desk: Desk, sampled: Project, alice: User) -> Desk:
    """On for Germans, off for all others; sixty Germans and forty French lately asked."""
    desk.save(alice, enabled=True, rules=[RULE], fallthrough=OFF)
    people = [german(n, "DE" if n < 60 else "FR") for n in range(100)]
    keep(desk.environment, desk.now, *people)
    return desk


def test_impact__two_pairs__are_counted_with_masked_examples(served: Desk) -> None:
    rule = {**RULE, "when": {"attribute": "country", "operator": "in", "values": ["FR"]}}
    (effect,) = shown(served, rules=[rule], targets=[{"variant": "on", "keys": ["x"]}]).effects
    assert (effect.sampled, effect.flipping) == (100, 100)
    assert effect.flips == (Flip("on", "off", 60), Flip("off", "on", 40))
    assert effect.remarks == ()
    assert len(effect.examples) == 2
    for example in effect.examples:
        known = dict(example.known)
        assert known["targetingKey"] == "pe…"
        assert (known["country"], example.before) in {("DE", "on"), ("FR", "off")}


def test_impact__an_address_that_a_rule_reads__is_masked(served: Desk) -> None:
    keep(served.environment, served.now, {"email": "somebody@shop.example"})
    rule = {**RULE, "when": {"attribute": "email", "operator": "exists"}}
    effect = shown(served, rules=[rule]).effects[0]
    assert "somebody" not in str(effect)
    assert effect.sampled == 101


def test_impact__what_changes_nothing__says_so(served: Desk) -> None:
    (effect,) = shown(served).effects
    assert (effect.sampled, effect.flips, effect.examples) == (100, (), ())


def test_impact__what_nothing_read_so_far__cannot_be_told(served: Desk) -> None:
    rule = {**RULE, "when": {"attribute": "plan", "operator": "exists"}}
    (effect,) = shown(served, rules=[rule]).effects
    assert effect.sampled == 0
    text = "Samples hold no plan: so far nothing reads it here, so it was not kept."
    assert effect.remarks == (text,)


def test_impact__the_context_as_a_whole__cannot_be_told(served: Desk) -> None:
    logic = {"jsonlogic": {"var": {"cat": ["a", "b"]}}}
    (effect,) = shown(served, rules=[{**RULE, "when": logic}]).effects
    assert effect.sampled == 0
    assert effect.remarks == ("It reads contexts as a whole, and those are not kept.",)


def test_impact__off__leads_to_the_setting(
    desk: Desk, alice: User, alice_client: Client, dana_client: Client
) -> None:
    assert not shown(desk).is_on
    set_policy(desk.environment, required_approvals=1)
    with pytest.raises(Waiting) as error:
        desk.switch(alice, True)
    page = f"/p/shop/changes/{waiting(error).pk}"
    for client, is_led in ((alice_client, True), (dana_client, False)):
        text = client.get(page).content.decode()
        assert "No traffic samples, so the impact is unknown" in text
        assert ('href="/p/shop/flags/sampling"' in text) is is_led


# Segments


def test_impact_of_a_segment__every_flag_that_uses_it_by_whatever_way(
    served: Desk, alice: User
) -> None:
    bench = Bench(served)
    beta = bench.segment(when=GERMANS)
    bench.segment("wide", when={"any": [{"segment": "beta"}]})
    rule = {**RULE, "when": {"segment": "wide"}}
    served.save(alice, rules=[rule])
    set_policy(served.environment, required_approvals=1)
    french = {**GERMANS, "values": ["FR"]}
    with pytest.raises(Waiting) as error:
        bench.edit(beta, alice, when=french)
    request = waiting(error)
    told = impact.of_segment(
        beta.project, beta.key, request.after, request.environments.all(), now=served.now
    )
    (effect,) = [one for one in told.effects if one.sampled]
    assert effect.title == "New checkout in Production"
    assert effect.flips == (Flip("on", "off", 60), Flip("off", "on", 40))


def test_impact_of_a_segment__that_nothing_uses(sampled: Project, desk: Desk) -> None:
    beta = Bench(desk).segment(when=GERMANS)
    told = impact.of_segment(
        sampled, beta.key, beta.document, sampled.environments.all(), now=desk.now
    )
    assert (told.effects, told.remark) == (
        (),
        "No flag uses the segment, so nobody gets anything else.",
    )
    lost = impact.of_segment(sampled, beta.key, {}, [], now=desk.now)
    assert lost.remark.startswith("What the segment would be")


def test_an_effect__counts_what_flips() -> None:
    assert Effect("x", 9, (Flip("a", "b", 2), Flip("b", "a", 3))).flipping == 5
