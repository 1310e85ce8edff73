"""A request for the shop's production in many states, and browsers that ask as htmx does."""

import re
from dataclasses import dataclass
from typing import cast

import pytest
from django.http import HttpResponse
from django.test import Client

from flags.models import Flag
from portal.access.models import Environment, User
from portal.approvals.models import ChangeRequest
from portal.lib import clock
from tests.support.agreeing import asking
from tests.support.desk import RULE, Desk
from tests.support.people import client_of
from tests.support.rows import everything_kept

HTMX = {"HX-Request": "true"}


@dataclass(frozen=True)
class Window:
    """Somebody's browser at the pages of the shop's approvals."""

    client: Client

    def open(self, path: str, **query: str) -> HttpResponse:
        return cast(HttpResponse, self.client.get(f"/p/shop/{path}", query))

    def look(self, path: str, **query: str) -> HttpResponse:
        """What htmx gets there."""
        return cast(HttpResponse, self.client.get(f"/p/shop/{path}", query, headers=HTMX))

    def send(self, path: str, **fields: object) -> HttpResponse:
        """What htmx gets for a form."""
        return cast(HttpResponse, self.client.post(f"/p/shop/{path}", fields, headers=HTMX))


def at(person: User) -> Window:
    return Window(client_of(person))


def text_of(response: HttpResponse) -> str:
    """What it says, as a person reads it: without line breaks in the middle of sentences."""
    return " ".join(response.content.decode().split())


def buttons_of(response: HttpResponse) -> dict[str, str]:
    """The steps on a page: what stands on each, and why it cannot be taken; empty if it can."""
    page = text_of(response)
    found = {}
    for name in ("approve", "reject", "take_back", "apply", "edit", "withdraw", "renew"):
        if f'id="step-{name}"' in page:
            button = page[page.index(f'id="step-{name}"') :].split(">")[0]
            named = re.search(r'aria-describedby="([\w-]+)"', button)
            why = re.search(rf'id="{named[1]}">([^<]*)<', page) if named else None
            assert ("disabled" in button) == bool(why and why[1]), button
            found[name] = why[1] if why else ""
    return found


def all_kept() -> dict[str, object]:
    """All rows but those of people, in which signing in leaves its time."""
    return {name: rows for name, rows in everything_kept().items() if name != "access.User"}


def vote_on(
    window: Window, asked: ChangeRequest, verdict: str = "approve", **fields: object
) -> HttpResponse:
    """Vote as the dialog does, on what the request is now."""
    asked.refresh_from_db()
    given = {"verdict": verdict, "digest": asked.digest} | fields
    return window.send(f"changes/{asked.pk}/vote", **given)


@pytest.fixture
def desk(new_checkout: Flag, guarded: Environment) -> Desk:
    return Desk(new_checkout, guarded, clock.now())


@pytest.fixture
def asked(desk: Desk, dana: User) -> ChangeRequest:
    """Dana asks for the flag to be turned on with a rule."""
    step = f"request of {dana.pk} to turn {desk.flag.pk} on with a rule"
    return asking(step, lambda: desk.save(dana, rules=[RULE], enabled=True))


@pytest.fixture
def emergency(desk: Desk, guarded: Environment, alice: User) -> ChangeRequest:
    """Alice broke the glass and turned the flag on."""
    guarded.policy.break_glass = ["project_admin"]
    guarded.policy.save()
    desk.switch(alice, True, break_glass=True, reason="The shop is down")
    return ChangeRequest.objects.get(state="applied")
