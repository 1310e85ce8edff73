"""A flag of the shop, with somebody about to change it in production."""

from datetime import datetime

import pytest

from flags.models import Flag
from portal.access.models import Environment
from tests.flags.services.writes import Desk


@pytest.fixture
def desk(new_checkout: Flag, production: Environment, now: datetime) -> Desk:
    return Desk(new_checkout, production, now)
