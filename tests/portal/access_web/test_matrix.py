"""Who gets in where: every address, every method, everybody. An address missing here fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from flags.models import Flag
from flags.services import create_flag
from portal.access.models import ApiKey, Environment, EnvironmentKind, Project, User
from portal.access.services import create_environment, issue_key, remove_member, set_role
from tests.portal.access_web.table import METHODS, PEOPLE, SIGN_IN, TABLE, Expected
from tests.support.agreeing import ask_for_something
from tests.support.freezing import a_freeze
from tests.support.people import SETTING_UP, boolean_flag, client_of


@dataclass(frozen=True)
class World:
    """What the addresses speak of, and a browser for everybody."""

    browsers: dict[str, Client]
    arguments: dict[str, Any]

    def address(self, name: str, **changes: object) -> str:
        """An address about the shop, unless ``changes`` say otherwise."""
        arguments = self.arguments | changes
        return reverse(name, kwargs={key: arguments[key] for key in captured(name)})


@pytest.fixture
def world(
    alice: User,
    bob: User,
    charlie: User,
    dana: User,
    shop: Project,
    garden: Project,
    new_checkout: Flag,
    shop_key: ApiKey,
) -> World:
    request = ask_for_something(new_checkout, dana)
    people = (charlie, bob, dana, alice)
    browsers = [Client(), *map(client_of, people)]
    arguments = {
        "project": shop.key,
        "environment": "development",
        "key": new_checkout.key,
        "selector": shop_key.selector,
        "user_id": bob.pk,
        "number": request.pk,
        "freeze": a_freeze(shop).pk,
    }
    return World(dict(zip(PEOPLE, browsers, strict=True)), arguments)


@pytest.fixture
def shop_key(development: Environment, now: datetime) -> ApiKey:
    return issue_key(
        environment=development,
        kind="server",
        name="Shop front",
        actor=SETTING_UP,
        now=now,
    ).key


def patterns(found: list[Any]) -> Iterator[URLPattern]:
    for one in found:
        if isinstance(one, URLResolver):
            yield from patterns(one.url_patterns)
        else:
            yield one


def captured(name: str) -> list[str]:
    (found,) = (one for one in patterns(get_resolver().url_patterns) if one.name == name)
    return list(found.pattern.regex.groupindex)


def status_of(response: HttpResponseBase) -> int | str:
    """The status, or ``SIGN_IN`` where someone is sent to sign in first."""
    to_sign_in = response.headers.get("Location", "").startswith("/sign-in?next=/")
    return SIGN_IN if response.status_code == 302 and to_sign_in else response.status_code


def everything_kept() -> dict[str, list[dict[str, Any]]]:
    """All rows of the product's own tables, but for the minute of the last sign-in."""
    models = [
        m
        for app in ("access", "approvals", "audit", "flags")
        for m in apps.get_app_config(app).get_models()
    ]
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models
    }


@contextmanager
def rolled_back() -> Iterator[None]:
    """Whatever somebody changes in here is undone, so that the next one finds the same."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def answers(world: World, method: str, address: str, fields: dict[str, str]) -> Expected:
    """What everybody is answered. Who is refused must have changed nothing."""
    before = everything_kept()
    found = []
    for browser in world.browsers.values():
        cookies = browser.cookies.copy()
        with rolled_back():
            body = urlencode(fields) if method == "POST" else ""
            response = browser.generic(method, address, body, "application/x-www-form-urlencoded")
            found.append(status_of(response))
            refused = method != "POST" or found[-1] not in (200, 302)
            assert not refused or everything_kept() == before
        browser.cookies = SimpleCookie(cookies)  # whoever signed out is back
    return tuple(found)


def test_every_address_stands_in_the_table_and_nothing_else() -> None:
    named = [pattern.name for pattern in patterns(get_resolver().url_patterns)]
    assert sorted(TABLE) == sorted(named, key=str)


@pytest.mark.parametrize("name", TABLE)
def test_everybody_is_answered_as_the_table_says(world: World, name: str) -> None:
    row, address = TABLE[name], world.address(name)
    found = {method: answers(world, method, address, row.fields) for method in METHODS}
    assert found == {method: row.expected(method) for method in METHODS}


def names_with(*arguments: str) -> list[str]:
    pages = [name for name in TABLE if not name.startswith("api-")]
    return [name for name in pages if set(arguments) & set(captured(name))]


def is_not_there(browser: Client, address: str) -> None:
    """Whatever is asked of the address, it is as if there were nothing; nothing changes."""
    before = everything_kept()
    seen = {browser.get(address).status_code, browser.post(address).status_code}
    assert 404 in seen
    assert seen <= {404, 405}
    assert everything_kept() == before


@pytest.mark.parametrize("name", names_with("key", "selector", "user_id", "number", "freeze"))
def test_nothing_of_the_shop_is_reached_through_charlies_garden(world: World, name: str) -> None:
    is_not_there(world.browsers["stranger"], world.address(name, project="garden"))


@pytest.mark.parametrize("name", names_with("environment"))
def test_an_environment_of_the_shop_is_not_one_of_the_garden(
    world: World, shop: Project, garden: Project, now: datetime, name: str
) -> None:
    canary = create_environment(
        project=shop, key="canary", kind=EnvironmentKind.STAGING, actor=SETTING_UP, now=now
    )
    create_flag(project=garden, document=boolean_flag(), actor=SETTING_UP, now=now)
    address = world.address(name, project="garden", environment=canary.key)
    is_not_there(world.browsers["stranger"], address)


def test_someone_who_was_removed_is_a_stranger_at_once(
    world: World, shop: Project, dana: User
) -> None:
    address = world.address("flag-switch")
    browser = world.browsers["editor"]
    assert browser.post(address, {"enabled": "1"}).status_code == 200
    remove_member(project=shop, user=dana, actor=SETTING_UP)
    assert browser.post(address, {"enabled": "0"}).status_code == 404
    assert browser.get(world.address("flag-list")).status_code == 404


def test_someone_who_was_demoted_may_only_look_at_once(
    world: World, shop: Project, dana: User, now: datetime
) -> None:
    set_role(project=shop, user=dana, role="viewer", actor=SETTING_UP, now=now)
    browser = world.browsers["editor"]
    assert browser.post(world.address("flag-switch"), {"enabled": "1"}).status_code == 403
    assert browser.get(world.address("flag-list")).status_code == 200


def test_a_deactivated_person_is_signed_out_at_once(world: World, dana: User) -> None:
    User.objects.filter(pk=dana.pk).update(is_active=False)
    found = world.browsers["editor"].get(world.address("flag-list"))
    assert status_of(found) == SIGN_IN


def test_a_site_administrator_sees_every_project(world: World, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    browser = world.browsers["admin"]
    assert browser.get(world.address("flag-list", project="garden")).status_code == 200
    created = browser.post(world.address("project-create"), {"key": "new", "name": "New"})
    assert created.status_code == 204
