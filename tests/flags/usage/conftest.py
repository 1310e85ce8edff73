"""Batches as evaluators send them, of a flag of the shop."""

from datetime import datetime

import pytest

from flags.channel import USAGE, EvaluationCount, IntakeBatch, Missed
from flags.channel.usage import write_usage
from flags.delivery import intake
from flags.evaluator.intake_queue import minute_of
from flags.models import FlagUsage, Period
from portal.access.models import Environment


def batch(place: Environment, at: datetime, *rows: EvaluationCount | Missed) -> IntakeBatch:
    return IntakeBatch(
        USAGE,
        minute_of(at.timestamp()),
        at.timestamp(),
        write_usage((place.pk, row) for row in rows),
        sum(row.count for row in rows),
    )


def take(*batches: IntakeBatch | None, now: datetime) -> int:
    """Store them together; how many were new."""
    return intake.take(USAGE, batches, now=now)


def counted(period: Period = Period.MINUTE) -> dict[tuple[str, str], int]:
    """What the database holds of a period, by variant and reason."""
    totals: dict[tuple[str, str], int] = {}
    for row in FlagUsage.objects.filter(period=period):
        key = (row.variant, row.reason)
        totals[key] = totals.get(key, 0) + row.count
    return totals


@pytest.fixture
def on(new_checkout: object) -> EvaluationCount:
    """The flag of the shop, served twice."""
    return EvaluationCount("new-checkout", "on", "STATIC", 2)
