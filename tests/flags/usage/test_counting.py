"""Adding up counts, and never more of them than a stranger is worth."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from flags.channel import EvaluationCount, Missed
from flags.models import Flag, FlagSeen, FlagUsage, Period, UnknownFlag
from flags.usage import counting
from flags.usage.counting import forget_old_usage
from portal.access.models import Environment, Project
from tests.flags.usage.conftest import batch, counted, take

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]


def test_batches__of_one_minute__are_added_up_in_every_period(
    production: Environment, on: EvaluationCount, now: datetime
) -> None:
    off = replace(on, variant="off", count=1)
    take(batch(production, now, on, off), now=now)
    take(batch(production, now, on), now=now)
    for period in Period:
        assert counted(period) == {("on", "STATIC"): 4, ("off", "STATIC"): 1}
    starts = set(FlagUsage.objects.values_list("period", "start"))
    assert len(starts) == 3
    assert ("d", now.replace(hour=0, minute=0, second=0, microsecond=0)) in starts


def test_last_seen__moves_forward_only__and_not_into_the_future(
    production: Environment, new_checkout: Flag, on: EvaluationCount, now: datetime
) -> None:
    for at in (now, now - timedelta(minutes=3), now + timedelta(minutes=2)):
        take(batch(production, at, on), now=now)
        assert FlagSeen.objects.get().last_at == now


def test_a_batch__of_things_that_do_not_exist__keeps_nothing_of_them(
    production: Environment, garden: Project, on: EvaluationCount, now: datetime
) -> None:
    elsewhere = garden.environments.get(key="production")
    made_up = [replace(on, flag="made-up"), replace(on, variant="made-up")]
    take(batch(elsewhere, now, on), batch(production, now, *made_up), now=now)
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
        take(batch(production, now, *rows), now=now)
    found = dict(UnknownFlag.objects.values_list("name", "count"))
    assert found == {"name-0": 1, "name-1": 1, "name-2": 2, "": 4}
    assert set(UnknownFlag.objects.values_list("by_client", flat=True)) == {by_client}


def test_old_counts__go__and_young_ones_stay(
    production: Environment, on: EvaluationCount, now: datetime
) -> None:
    take(batch(production, now, on, Missed("gone", False, 1)), now=now)
    for later, left in (
        (timedelta(hours=24), {"m", "h", "d"}),
        (timedelta(hours=26), {"h", "d"}),
        (timedelta(days=37), {"d"}),
        (timedelta(days=402), set[str]()),
    ):
        forget_old_usage(now=now + later)
        assert set(FlagUsage.objects.values_list("period", flat=True)) == left
    assert not UnknownFlag.objects.exists()
