"""What the authorization matrix speaks of, and a browser for everybody."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from flags.exclusion_groups.services import create_group as create_exclusion_group
from flags.models import Flag, SavedView
from flags.preferences.services import save_view
from flags.segments.services import create_segment
from portal.access import services
from portal.access.models import ApiKey, Environment, Project, User
from portal.audit.models import AuditEvent
from portal.lib import clock
from portal.lib.journal import Intent
from portal.reports.models import RecertificationItem
from portal.reports.services import start_recertification
from releases.core.models import Release, ReleaseGroup
from tests.portal.access_web.table import PEOPLE, ROLES, SIGN_IN
from tests.support.agreeing import ask_for_something
from tests.support.desk import Desk
from tests.support.freezing import a_freeze
from tests.support.grouping import a_group, a_member, look
from tests.support.people import SETTING_UP, acting, client_of, create_person, give_role
from tests.support.planning import a_schedule
from tests.support.releasing import a_policy, a_release, a_template, routed_by_flag
from tests.support.remembering import remembered


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
def people(
    alice: User, bob: User, charlie: User, dana: User, shop: Project, staging: Environment
) -> dict[str, User]:
    """Somebody for each name of the table but the anonymous one."""
    found = {"stranger": charlie, "viewer": bob, "developer": dana, "project_admin": alice}
    for role in ROLES:
        if role not in found:
            found[role] = create_person(role)
            give_role(shop, found[role], role)
    found["elsewhere"] = create_person("elsewhere")
    give_role(shop, found["elsewhere"], "project_admin", staging)
    found["root"] = root = create_person("root")
    may_all = User.objects.filter(pk=root.pk)
    remembered("root may do all", lambda: may_all.update(is_superuser=True))
    return found


@pytest.fixture
def world(
    people: dict[str, User], shop: Project, garden: Project, new_checkout: Flag, shop_key: ApiKey
) -> World:
    arguments = remembered(
        "what the matrix speaks of", lambda: _arguments(people, new_checkout, shop_key)
    )
    browsers = {name: client_of(user) for name, user in people.items()} | {"anonymous": Client()}
    browsers = {name: browsers[name] for name in PEOPLE}
    browsers |= {"editor": browsers["developer"], "admin": browsers["project_admin"]}
    return World(browsers, arguments)


def _arguments(people: dict[str, User], flag: Flag, shop_key: ApiKey) -> dict[str, object]:
    shop, now = flag.project, clock.now()
    # Of the same key as the flag, so that one argument names them all.
    for create in (create_segment, create_exclusion_group):
        create(project=shop, document={"key": flag.key}, intent=Intent(SETTING_UP, at=now))
    request = ask_for_something(flag, people["developer"])
    desk = Desk(flag, shop.environments.get(key="development"), now)
    return {
        "project": shop.key,
        "environment": "development",
        "key": flag.key,
        "which": "included",
        "selector": shop_key.selector,
        "user_id": people["viewer"].pk,
        "number": request.pk,
        "freeze": a_freeze(shop).pk,
        "plan": a_schedule(desk, people["developer"]).pk,
        "kind": "schedule",
        "step": "pause",
        "view": _a_view(shop, people["developer"]).pk,
        "username": people["viewer"].username,
        "session_id": 0,
        "link_id": 0,
        "record": AuditEvent.objects.get(project=shop.key, event="flag.created").sequence,
        "release": _a_release(shop, people["project_admin"]).pk,
        "release_group": _a_group(shop, people["project_admin"]).pk,
        "service": "checkout",
        "policy": a_policy(shop, environments=["development"]).key,
        "template": a_template(shop).key,
        "command": "rollback",
        "sequence": AuditEvent.objects.filter(project=shop.key).earliest("sequence").sequence,
    } | _access_arguments(shop, people, now)


def _a_release(shop: Project, author: User) -> Release:
    """Under way in development."""
    place = shop.environments.get(key="development")
    return a_release(routed_by_flag(place), place, author)


def _a_group(shop: Project, author: User) -> ReleaseGroup:
    """Under way in development."""
    place = shop.environments.get(key="development")
    group = a_group(place, author, *(a_member(place, key) for key in ("cart", "mail")))
    look(group, times=1)
    return group


def _a_view(shop: Project, owner: User) -> SavedView:
    return save_view(
        project=shop,
        user=owner,
        intent=Intent(acting(owner)),
        view=None,
        name="Checkout",
        query="search=checkout",
        shared=True,
        default=False,
    )


def _access_arguments(shop: Project, people: dict[str, User], now: datetime) -> dict[str, object]:
    """A group with the viewer in it, a role of the shop's own, an invitation, an open round."""
    viewer, admin = people["viewer"], acting(people["project_admin"])
    crew = services.create_group(
        project=shop, key="crew", name="Crew", intent=Intent(admin, at=now)
    )
    services.add_to_group(group=crew, user=viewer, intent=Intent(admin))
    role = services.create_role(
        project=shop, key="shipper", name="Shipper", permissions=["flag.view"], intent=Intent(admin)
    )
    sent = services.create_invitation(project=shop, role="viewer", intent=Intent(admin, at=now))
    start_recertification(project=shop, intent=Intent(admin, at=now))
    return {
        "group": crew.key,
        "role": role.key,
        "grant_id": viewer.grants.get().pk,
        "grant": viewer.grants.get().pk,
        "permission": "release.deploy",
        "invitation": sent.invitation.selector,
        "token": str(sent.token),
        "report": "keys",
        "item_id": RecertificationItem.objects.get(holder=viewer.username).pk,
    }


@pytest.fixture
def shop_key(development: Environment) -> ApiKey:
    pk = remembered(
        "key of the shop front",
        lambda: (
            services.issue_key(
                environment=development, kind="server", name="Shop front", intent=Intent(SETTING_UP)
            ).key.pk
        ),
    )
    return ApiKey.objects.get(pk=pk)


def in_parts(names: Iterable[str], size: int = 24) -> list[Any]:
    """Names as parameters, some at a time: making the world takes longer than asking in it."""
    found = list(names)
    parts = [found[start : start + size] for start in range(0, len(found), size)]
    return [pytest.param(part, id=f"{part[0]} to {part[-1]}") for part in parts]


def patterns(found: list[Any]) -> Iterator[URLPattern]:
    for one in found:
        if isinstance(one, URLResolver):
            yield from patterns(one.url_patterns)
        else:
            yield one


@cache
def captured(name: str) -> list[str]:
    return list(_by_name()[name].pattern.regex.groupindex)


@cache
def _by_name() -> dict[str, URLPattern]:
    return {str(one.name): one for one in patterns(get_resolver().url_patterns)}


def status_of(response: HttpResponseBase) -> int | str:
    """The status, or ``SIGN_IN`` where someone is sent to sign in first."""
    to_sign_in = response.headers.get("Location", "").startswith("/sign-in?next=/")
    return SIGN_IN if response.status_code == 302 and to_sign_in else response.status_code


def header_problems(response: HttpResponseBase) -> Iterator[str]:
    policy = response.headers.get("Content-Security-Policy", "")
    if "default-src 'none'" not in policy or "script-src 'self'" not in policy:
        yield f"policy: {policy}"
    if "unsafe" in policy or "frame-ancestors 'none'" not in policy:
        yield f"policy: {policy}"
    wanted = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    for name, value in wanted.items():
        if response.headers.get(name) != value:
            yield f"{name}: {response.headers.get(name)}"
    if len(response.headers.get("X-Request-ID", "")) != 16:
        yield "no request id"


def caching_problems(response: HttpResponseBase) -> Iterator[str]:
    """What would let a cache keep somebody's page."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        if "no-store" not in response.headers.get("Cache-Control", ""):
            yield f"kept: {response.headers.get('Cache-Control')}"
        if "HX-Request" not in response.headers.get("Vary", ""):
            yield f"Vary: {response.headers.get('Vary')}"


# When a key or a session was last used is no business of anybody's rights.
_NOTES = ("last_used_at", "usersessions_usersession", "django_session")


@contextmanager
def watched() -> Iterator[list[str]]:
    """The statements with which anything was written meanwhile."""
    found: list[str] = []

    def look(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and not any(n in sql for n in _NOTES):
            found.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(look):
        yield found


def sign_back_in(browser: Client, session: str) -> None:
    """Whoever signed out, or in as somebody else, is back."""
    browser.cookies.clear()
    if session:
        browser.cookies[settings.SESSION_COOKIE_NAME] = session
