"""Open sessions, looking instead of acting, texts that cannot be kept, made-up terms."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from portal.access import services as access
from portal.access.models import Project, User
from portal.approvals import services
from portal.approvals.models import ChangeRequest
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import PLAIN, Intent
from tests.portal.approvals.racing import apply
from tests.support.agreeing import vote
from tests.support.desk import Desk
from tests.support.people import (
    SETTING_UP,
    acting,
    client_of,
)
from tests.support.rows import everything_kept


def test_rights_that_were_taken_away__are_gone_in_a_session_that_is_open(
    desk: Desk, dana: User, shop: Project, agreed: ChangeRequest, now: datetime
) -> None:
    browser = client_of(dana)
    address = f"/p/shop/flags/{desk.flag.key}/production/switch"
    assert browser.get("/p/shop/changes/").status_code == 200
    access.remove_member(project=shop, user=dana, intent=Intent(SETTING_UP))
    assert browser.get("/p/shop/changes/").status_code == 404
    assert browser.post(address, {"enabled": "1", "confirmed": "1"}).status_code in (403, 404)
    with pytest.raises(Forbidden):
        apply(agreed, dana)
    assert not desk.configuration.enabled


def test_looking__approves_and_applies_nothing(
    desk: Desk, agreed: ChangeRequest, erin: User
) -> None:
    browser: Client = client_of(erin)
    before = everything_kept()
    for query in ("", "?verdict=approve", "?do=apply", "?verdict=approve&confirmed=1"):
        browser.get(f"/p/shop/changes/{agreed.pk}{query}")
        browser.head(f"/p/shop/changes/{agreed.pk}{query}")
    assert everything_kept() == before


@pytest.mark.parametrize("text", ["a\0b", "x" * 5001])
def test_texts_that_cannot_be_kept__are_refused_with_a_sentence(
    desk: Desk, agreed: ChangeRequest, alice: User, dana: User, text: str
) -> None:
    person = acting(alice)
    attempts: list[Callable[[], Any]] = [
        lambda: vote(agreed, alice, comment=text),
        lambda: services.comment_on_request(
            request=agreed, text=text, intent=Intent(person, at=desk.now)
        ),
        lambda: desk.switch(dana, True, reason=text),
    ]
    for attempt in attempts:
        with pytest.raises(Invalid, match="NUL"):
            attempt()


def test_terms__have_nothing_that_says_it_is_approved() -> None:
    """Mass assignment: whatever terms a caller makes up, the gate looks up what they name."""
    assert set(PLAIN.__dataclass_fields__) == {
        "agreement",
        "step",
        "undoing",
        "break_glass",
        "override_freeze",
        "override_reason",
        "revise",
        "revision",
        "apply_when_approved",
        "dry",
    }
    assert replace(PLAIN, agreement=1) != PLAIN
