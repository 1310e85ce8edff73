"""Who gets in where: every address, every method, everybody. An address missing here fails."""

from collections import Counter
from datetime import datetime
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from flags.core.definitions import create_flag
from portal.access.models import EnvironmentKind, Project, User
from portal.access.permissions import BUILTIN_ROLES, Permission
from portal.access.services import create_environment, remove_member, set_role
from portal.lib.journal import Intent
from tests.portal.access_web.asking import Asking, asking as asking
from tests.portal.access_web.table import (
    CLOSED,
    METHODS,
    ROLES,
    SIGN_IN,
    TABLE,
    Expected,
)
from tests.portal.access_web.world import (
    World,
    caching_problems,
    captured,
    header_problems,
    in_parts,
    patterns,
    people as people,
    shop_key as shop_key,
    sign_back_in,
    status_of,
    watched,
    world as world,
)
from tests.support.people import SETTING_UP, boolean_flag
from tests.support.rows import everything_kept, rolled_back


def answers(
    world: World, method: str, address: str, fields: dict[str, str], people: tuple[str, ...]
) -> Expected:
    """What everybody is answered, with the headers of every answer.

    Who is refused must have changed nothing.
    """
    found = {}
    for person in people:
        browser = world.browsers[person]
        cookie = browser.cookies.get(settings.SESSION_COOKIE_NAME)
        session = cookie.value if cookie else ""
        with rolled_back(), watched() as written:
            body = urlencode(fields) if method == "POST" else ""
            response = browser.generic(method, address, body, "application/x-www-form-urlencoded")
            found[person] = status_of(response)
            assert list(header_problems(response)) == [], (address, person)
            if person == "project_admin" and method == "GET":
                assert list(caching_problems(response)) == [], address
            refused = method != "POST" or found[person] not in (200, 204, 302)
            assert not refused or written == []
        sign_back_in(browser, session)
    return found


def test_every_address_stands_in_the_table_and_nothing_else() -> None:
    named = [str(pattern.name) for pattern in patterns(get_resolver().url_patterns)]
    # Those of the API have a table of their own: test_api_matrix.
    assert sorted(TABLE) == sorted(name for name in named if not name.startswith("api-"))


def test_who_is_asked_shows_every_wrong_right_and_everybody_has_their_turn() -> None:
    asking, turns = Asking(whole=False, vendor="sqlite"), Counter[str]()
    for name, row in TABLE.items():
        people = asking.people(name, "POST", row)
        turns.update(people)
        if row.post != CLOSED:
            for right in Permission:
                having = {role for role in ROLES if right in BUILTIN_ROLES[role]}
                let_in = {role for role in ROLES if row.post[role] != 403}
                assert having == let_in or (having ^ let_in) & set(people), (name, right)
    assert all(turns[role] >= 10 for role in ROLES), turns


@pytest.mark.postgresql
@pytest.mark.parametrize("names", in_parts(TABLE))
def test_everybody_is_answered_as_the_table_says(
    world: World, names: list[str], asking: Asking
) -> None:
    for name in names:
        row, address = TABLE[name], world.address(name)
        for method in METHODS:
            people = asking.people(name, method, row)
            wanted = {person: row.expected(method)[person] for person in people}
            assert answers(world, method, address, row.fields, people) == wanted, (name, method)


def names_with(*arguments: str) -> list[str]:
    return [name for name in TABLE if set(arguments) & set(captured(name))]


def is_not_there(browser: Client, address: str) -> None:
    """Whatever is asked of the address, it is as if there were nothing; nothing changes."""
    before = everything_kept()
    seen = {browser.get(address).status_code, browser.post(address).status_code}
    assert 404 in seen, address
    assert seen <= {404, 405}, address
    assert everything_kept() == before


# What is named in an address and belongs to a project.
OBJECTS = [
    "key",
    "selector",
    "user_id",
    "number",
    "view",
    "freeze",
    "group",
    "role",
    "grant_id",
    "invitation",
    "item_id",
    "sequence",
    "record",
    "release",
    "release_group",
    "service",
]


@pytest.mark.parametrize(
    "names", in_parts(n for n in names_with(*OBJECTS) if "project" in captured(n))
)
def test_nothing_of_the_shop_is_reached_through_charlies_garden(
    world: World, names: list[str]
) -> None:
    for name in names:
        is_not_there(world.browsers["stranger"], world.address(name, project="garden"))


def test_an_environment_of_the_shop_is_not_one_of_the_garden(
    world: World, shop: Project, garden: Project, now: datetime
) -> None:
    canary = create_environment(
        project=shop, key="canary", kind=EnvironmentKind.STAGING, intent=Intent(SETTING_UP, at=now)
    )
    create_flag(project=garden, document=boolean_flag(), intent=Intent(SETTING_UP, at=now))
    for name in names_with("environment"):
        address = world.address(name, project="garden", environment=canary.key)
        is_not_there(world.browsers["stranger"], address)


def test_someone_who_was_removed_is_a_stranger_at_once(
    world: World, shop: Project, dana: User
) -> None:
    address = world.address("flag-switch")
    browser = world.browsers["editor"]
    assert browser.post(address, {"enabled": "1"}).status_code == 200
    remove_member(project=shop, user=dana, intent=Intent(SETTING_UP))
    assert browser.post(address, {"enabled": "0"}).status_code == 404
    assert browser.get(world.address("flag-list")).status_code == 404


def test_someone_who_was_demoted_may_only_look_at_once(
    world: World, shop: Project, dana: User, now: datetime
) -> None:
    set_role(project=shop, user=dana, role="viewer", intent=Intent(SETTING_UP, at=now))
    browser = world.browsers["editor"]
    assert browser.post(world.address("flag-switch"), {"enabled": "1"}).status_code == 403
    assert browser.get(world.address("flag-list")).status_code == 200


def test_a_deactivated_person_is_signed_out_at_once(world: World, dana: User) -> None:
    User.objects.filter(pk=dana.pk).update(is_active=False)
    found = world.browsers["editor"].get(world.address("flag-list"))
    assert status_of(found) == SIGN_IN
