"""A flag of production that is on, and who may break glass there."""

import pytest

from flags.models import FlagConfiguration
from portal.access.models import Environment, Project, User
from tests.support.agreeing import TWO_ROLES, set_policy
from tests.support.desk import Desk
from tests.support.people import create_person, give_role
from tests.support.remembering import remembered


@pytest.fixture
def grace(shop: Project) -> User:
    """She may change everything, and break glass."""
    person = create_person("grace")
    for role in ("on_call_engineer", "developer"):
        give_role(shop, person, role)
    return person


@pytest.fixture
def desk(desk: Desk, guarded: Environment) -> Desk:
    """Production's flag, already on, where on-call engineers may break glass."""

    def make() -> None:
        guarded.policy.delete()
        FlagConfiguration.objects.filter(flag=desk.flag, environment=guarded).update(enabled=True)
        set_policy(guarded, **TWO_ROLES, break_glass=["on_call_engineer"], break_glass_minutes=30)

    remembered(f"{desk.flag.pk} is on and glass can be broken", make)
    return desk
