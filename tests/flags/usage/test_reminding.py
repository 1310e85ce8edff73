"""Owners are told of flags that have done their work: once of each, once a week at most."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from flags.core.definitions import create_flag
from flags.models import Flag
from flags.usage import reminding
from portal.access.models import Project, User
from portal.lib import clock
from portal.lib.journal import Intent
from portal.notifications.models import Letter
from tests.support.people import SETTING_UP, boolean_flag

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7, minutes=1)


@pytest.fixture
def old(shop: Project, dana: User, now: datetime) -> Flag:
    """A flag that Dana owns, past its life."""
    User.objects.filter(pk=dana.pk).update(email="dana@example.com")
    return old_flag(shop, "old", now)


def old_flag(shop: Project, key: str, now: datetime) -> Flag:
    flag = create_flag(
        project=shop,
        document=boolean_flag(key) | {"owner": "dana"},
        intent=Intent(SETTING_UP, at=now),
    )
    Flag.objects.filter(pk=flag.pk).update(created_at=now - timedelta(days=41))
    return flag


def remind(moment: datetime, patch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the letters that this wrote."""
    before = set(Letter.objects.values_list("pk", flat=True))
    patch.setattr(clock, "database_now", lambda: moment)
    reminding.remind_owners()
    return [letter.text for letter in Letter.objects.exclude(pk__in=before)]


def test_an_owner__is_told_once_of_each_flag_and_once_a_week(
    shop: Project, old: Flag, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    (letter,) = remind(now, monkeypatch)
    assert "Old: potentially stale" in letter
    assert "It is 41 days old; a flag of this kind is expected to live 40 days." in letter
    assert "/p/shop/flag/usage/old" in letter
    old_flag(shop, "older", now)
    assert remind(now + timedelta(days=2), monkeypatch) == []
    (letter,) = remind(now + WEEK, monkeypatch)
    assert "Older: potentially stale" in letter
    assert "Old: " not in letter
    assert remind(now + 2 * WEEK, monkeypatch) == []


def test_an_owner__is_told_again_when_a_flag_was_in_use_meanwhile(
    old: Flag, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert remind(now, monkeypatch)
    Flag.objects.update(permanent=True)
    assert remind(now + WEEK, monkeypatch) == []
    Flag.objects.update(permanent=False)
    assert remind(now + 2 * WEEK, monkeypatch)


@pytest.mark.parametrize("owner", ["Checkout team", "charlie", ""])
def test_an_owner__who_is_nobody_of_the_project__is_not_written_to(
    old: Flag, charlie: User, now: datetime, monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    User.objects.update(email="x@example.com")
    Flag.objects.update(owner=owner)
    assert remind(now, monkeypatch) == []


def test_an_owner__who_switched_it_off__is_not_written_to(
    old: Flag, dana_client: Client, dana: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    dana_client.post("/account/letters", {})
    assert remind(now, monkeypatch) == []
    assert 'name="digests">' in dana_client.get("/account/").content.decode()
    dana_client.post("/account/letters", {"digests": "on"})
    assert remind(now, monkeypatch)
