"""A flag of the shop, and somebody about to make segments and exclusion groups for it."""

from datetime import datetime

import pytest

from flags.models import Flag
from portal.access.models import Environment
from tests.flags.cohorts.bench import Bench
from tests.flags.services.writes import Desk


@pytest.fixture
def desk(new_checkout: Flag, production: Environment, now: datetime) -> Desk:
    return Desk(new_checkout, production, now)


@pytest.fixture
def bench(desk: Desk) -> Bench:
    return Bench(desk)
