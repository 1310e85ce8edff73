"""A flag of the shop, with somebody about to change it in production, which is guarded."""

from datetime import datetime

import pytest

from flags.models import Flag
from portal.access.models import Environment, User
from portal.approvals.models import ChangeRequest
from tests.support.agreeing import asking, vote
from tests.support.desk import RULE, Desk
from tests.support.remembering import remembered


@pytest.fixture
def desk(new_checkout: Flag, guarded: Environment, now: datetime) -> Desk:
    return Desk(new_checkout, guarded, now)


@pytest.fixture
def asked(desk: Desk, dana: User) -> ChangeRequest:
    """Dana asks for the flag to be turned on with a rule."""
    step = f"request of {dana.pk} to turn {desk.flag.pk} on with a rule"
    return asking(step, lambda: desk.save(dana, rules=[RULE], enabled=True))


@pytest.fixture
def agreed(desk: Desk, dana: User, erin: User, frank: User) -> ChangeRequest:
    """Dana's request to turn the flag on; nothing but applying it is left."""
    step = f"request of {dana.pk} to turn {desk.flag.pk} on later"
    request = asking(step, lambda: desk.switch(dana, True, apply_when_approved=False))
    remembered(f"yes of {erin.pk} and {frank.pk}", lambda: _agree(request, erin, frank))
    request.refresh_from_db()
    return request


def _agree(request: ChangeRequest, *people: User) -> None:
    for person in people:
        vote(request, person)
