"""A flag of the shop, with somebody about to change it in production, which is guarded."""

from datetime import datetime

import pytest

from flags.models import Flag
from portal.access.models import Environment, User
from portal.approvals.errors import Waiting
from portal.approvals.models import ChangeRequest
from tests.flags.services.writes import RULE, Desk
from tests.support.agreeing import vote, waiting


@pytest.fixture
def desk(new_checkout: Flag, guarded: Environment, now: datetime) -> Desk:
    return Desk(new_checkout, guarded, now)


@pytest.fixture
def asked(desk: Desk, dana: User) -> ChangeRequest:
    """Dana asks for the flag to be turned on with a rule."""
    with pytest.raises(Waiting) as error:
        desk.save(dana, rules=[RULE], enabled=True)
    return waiting(error)


@pytest.fixture
def agreed(desk: Desk, dana: User, erin: User, frank: User) -> ChangeRequest:
    """Dana's request to turn the flag on; nothing but applying it is left."""
    with pytest.raises(Waiting) as error:
        desk.switch(dana, True, apply_when_approved=False)
    request = waiting(error)
    vote(request, erin)
    vote(request, frank)
    return request
