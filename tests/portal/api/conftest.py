"""A script with an admin key for the shop's production, and a flag of the shop."""

import pytest

from flags.models import Flag
from portal.access.models import Environment
from tests.support.script import Script, issue


@pytest.fixture
def script(production: Environment) -> Script:
    return Script(issue(production))


@pytest.fixture
def flag(new_checkout: Flag) -> str:
    """The key of a flag of the shop, off everywhere."""
    return new_checkout.key
