"""What the pages of flags say of what their reader may do there: no more and no less."""

import pytest

from portal.access.models import Environment, Project, User
from tests.support.desk import Desk
from tests.support.people import client_of, give_role

LIST, TARGETING = "/p/shop/flags/", "/p/shop/flag/targeting/{}/new-checkout"
LOOK, TOGGLE = "You can look but not change", "You can turn flags on and off."


def said(user: User, address: str) -> str:
    return client_of(user).get(address).content.decode()


@pytest.fixture
def on_call(charlie: User, shop: Project, production: Environment, desk: Desk) -> User:
    """Charlie, who may switch flags in production and edit none."""
    give_role(shop, charlie, "on_call_engineer", production)
    return charlie


def test_on_call__where_she_may_toggle__is_told_so(on_call: User) -> None:
    for address in (LIST, TARGETING.format("production")):
        page = said(on_call, address)
        assert TOGGLE in page, address
        assert LOOK not in page, address


def test_on_call__elsewhere__may_look(on_call: User) -> None:
    page = said(on_call, TARGETING.format("staging"))
    assert LOOK in page
    assert TOGGLE not in page


def test_who_may_edit__is_told_nothing(dana: User, desk: Desk) -> None:
    for address in (LIST, TARGETING.format("production")):
        page = said(dana, address)
        assert LOOK not in page, address
        assert TOGGLE not in page, address
