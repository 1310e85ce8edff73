"""Batches as evaluators send them, of a flag of the shop."""

import uuid
from datetime import datetime

import pytest

from flags.channel import Asked, Missed, UsageBatch
from flags.evaluator.tally import minute_of
from flags.models import FlagUsage, Period
from portal.access.models import Environment


def batch(place: Environment, at: datetime, *rows: Asked | Missed) -> UsageBatch:
    return UsageBatch(
        id=uuid.uuid4().hex,
        environment_id=place.pk,
        minute=minute_of(at.timestamp()),
        last_at=at.timestamp(),
        asked=tuple(row for row in rows if isinstance(row, Asked)),
        missed=tuple(row for row in rows if isinstance(row, Missed)),
    )


def counted(period: Period = Period.MINUTE) -> dict[tuple[str, str], int]:
    """What the database holds of a period, by variant and reason."""
    totals: dict[tuple[str, str], int] = {}
    for row in FlagUsage.objects.filter(period=period):
        key = (row.variant, row.reason)
        totals[key] = totals.get(key, 0) + row.count
    return totals


@pytest.fixture
def on(new_checkout: object) -> Asked:
    """The flag of the shop, served twice."""
    return Asked("new-checkout", "on", "STATIC", 2)
