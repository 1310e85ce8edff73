"""Adding up batches: each once, and never more than a stranger is worth."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from flags.channel import Asked, Missed
from flags.models import Flag, FlagSeen, FlagUsage, Period, TakenBatch, UnknownFlag
from flags.services import counting
from flags.services.counting import forget_old_usage, take_batches
from portal.access.models import Environment, Project
from tests.flags.usage.conftest import batch, counted
from tests.support import concurrently

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]


def test_batches__of_one_minute__are_added_up_in_every_period(
    production: Environment, on: Asked, now: datetime
) -> None:
    off = replace(on, variant="off", count=1)
    assert take_batches(batches=[batch(production, now, on, off)], now=now) == 1
    assert take_batches(batches=[batch(production, now, on)], now=now) == 1
    for period in Period:
        assert counted(period) == {("on", "STATIC"): 4, ("off", "STATIC"): 1}
    starts = set(FlagUsage.objects.values_list("period", "start"))
    assert len(starts) == 3
    assert ("d", now.replace(hour=0, minute=0, second=0, microsecond=0)) in starts


def test_a_batch__that_comes_again__counts_once(
    production: Environment, on: Asked, now: datetime
) -> None:
    one = batch(production, now, on)
    assert take_batches(batches=[one, one], now=now) == 1
    assert take_batches(batches=[one, batch(production, now, on)], now=now) == 1
    assert take_batches(batches=[one], now=now) == 0
    assert counted() == {("on", "STATIC"): 4}


@pytest.mark.django_db(transaction=True)
def test_a_batch__that_two_workers_take_at_once__counts_once(
    production: Environment, on: Asked, now: datetime
) -> None:
    one = batch(production, now, on)
    concurrently.run(*[lambda: take_batches(batches=[one], now=now)] * 2)
    assert counted() == {("on", "STATIC"): 2}


def test_a_worker_that_dies__leaves_neither_counts_nor_word_of_the_batch(
    production: Environment, on: Asked, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = batch(production, now, on)
    with monkeypatch.context() as patched:
        patched.setattr(counting, "_write_seen", _die)
        with pytest.raises(RuntimeError):
            take_batches(batches=[one], now=now)
    assert not TakenBatch.objects.exists()
    assert take_batches(batches=[one], now=now) == 1
    assert counted() == {("on", "STATIC"): 2}


def _die(*_given: object) -> None:
    raise RuntimeError("killed")


def test_last_seen__moves_forward_only__and_not_into_the_future(
    production: Environment, new_checkout: Flag, on: Asked, now: datetime
) -> None:
    for at in (now, now - timedelta(minutes=3), now + timedelta(minutes=2)):
        take_batches(batches=[batch(production, at, on)], now=now)
        assert FlagSeen.objects.get().last_at == now


@pytest.mark.parametrize("minutes", [-26 * 60, 10])
def test_a_batch__of_another_time__is_left_out(
    production: Environment, on: Asked, now: datetime, minutes: int
) -> None:
    away = batch(production, now + timedelta(minutes=minutes), on)
    assert take_batches(batches=[away], now=now) == 0
    assert counted() == {}


def test_a_batch__of_things_that_do_not_exist__keeps_nothing_of_them(
    production: Environment, garden: Project, on: Asked, now: datetime
) -> None:
    elsewhere = garden.environments.get(key="production")
    nowhere = replace(batch(production, now, on), environment_id=10**9)
    made_up = [replace(on, flag="made-up"), replace(on, variant="made-up")]
    rows = [batch(elsewhere, now, on), nowhere, batch(production, now, *made_up)]
    assert take_batches(batches=rows, now=now) == 3
    assert counted() == {("", "STATIC"): 2}


@pytest.mark.parametrize("by_client", [False, True])
def test_unknown_names__beyond_the_cap__are_counted_together(
    production: Environment, now: datetime, monkeypatch: pytest.MonkeyPatch, by_client: bool
) -> None:
    most = {"MAX_UNKNOWN_BY_SERVERS": 3, "MAX_UNKNOWN_BY_CLIENTS": 3}
    for name, number in most.items():
        monkeypatch.setattr(counting, name, number)
    for start in (0, 2):
        rows = [Missed(f"name-{start + n}", by_client, 1) for n in range(4)]
        take_batches(batches=[batch(production, now, *rows)], now=now)
    found = dict(UnknownFlag.objects.values_list("name", "count"))
    assert found == {"name-0": 1, "name-1": 1, "name-2": 2, "": 4}
    assert set(UnknownFlag.objects.values_list("by_client", flat=True)) == {by_client}


def test_old_counts__go__and_young_ones_stay(
    production: Environment, on: Asked, now: datetime
) -> None:
    take_batches(batches=[batch(production, now, on, Missed("gone", False, 1))], now=now)
    for later, left in (
        (timedelta(hours=24), {"m", "h", "d"}),
        (timedelta(hours=26), {"h", "d"}),
        (timedelta(days=37), {"d"}),
        (timedelta(days=402), set[str]()),
    ):
        forget_old_usage(now=now + later)
        assert set(FlagUsage.objects.values_list("period", flat=True)) == left
    assert not TakenBatch.objects.exists()
    assert not UnknownFlag.objects.exists()
