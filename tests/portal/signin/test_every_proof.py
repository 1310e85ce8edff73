"""Every page that takes a password or a code holds the limits of signing in."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.test import Client

from portal.access.models import Project, User
from portal.access.signin import throttle
from portal.audit.models import AuditEvent
from portal.lib import clock
from tests.portal.signin.test_two_factor import enrol, half_way, shown_secret
from tests.support import totp
from tests.support.people import PASSWORD, acting, client_of, prove

pytestmark = pytest.mark.django_db
_PROOF = re.compile(r'type="password"|current-password|new-password|one-time-code')
_OTHER = "a-swallow-in-june"
NEW_KEY = {"name": "CI", "environment": "production", "kind": "server"}


@dataclass(frozen=True)
class Page:
    """A page that takes a proof: ready for alice, with a wrong and the right one."""

    post: Callable[[str], int]
    wrong: str
    right: str


def _stale(alice: User) -> Client:
    client = client_of(alice)
    prove(client, alice, at=time.time() - 3600)
    return client


def _sign_in(alice: User) -> Page:
    def post(password: str) -> int:
        return Client().post("/sign-in", {"username": "alice", "password": password}).status_code

    return Page(post, "wrong", PASSWORD)


def _code(alice: User) -> Page:
    secret = enrol(client_of(alice))

    def post(code: str) -> int:
        return half_way().post("/sign-in/code", {"code": code}).status_code

    return Page(post, totp.wrong_code(secret), totp.next_code(secret))


def _confirm_password(alice: User) -> Page:
    def post(password: str) -> int:
        fields = NEW_KEY | {"confirm_password": password}
        return _stale(alice).post("/p/shop/keys/new", fields).status_code

    return Page(post, "wrong", PASSWORD)


def _confirm_code(alice: User) -> Page:
    secret = enrol(client_of(alice))
    alice.set_unusable_password()
    alice.save()

    def post(code: str) -> int:
        fields = NEW_KEY | {"confirm_code": code}
        return _stale(alice).post("/p/shop/keys/new", fields).status_code

    return Page(post, totp.wrong_code(secret), totp.next_code(secret))


def _change_password(alice: User) -> Page:
    def post(password: str) -> int:
        fields = {"old_password": password, "new_password1": _OTHER, "new_password2": _OTHER}
        return client_of(alice).post("/account/password", fields).status_code

    return Page(post, "wrong", PASSWORD)


def _enrol(alice: User) -> Page:
    client = client_of(alice)
    secret = shown_secret(client)

    def post(code: str) -> int:
        return client.post("/account/two-factor", {"code": code}).status_code

    return Page(post, totp.wrong_code(secret), totp.code(secret))


# By template: a page with such a field that is not here fails the first test.
PAGES = {
    "signin/sign_in.html": [_sign_in],
    "signin/code.html": [_code],
    "signin/_proof.html": [_confirm_password, _confirm_code],
    "signin/password.html": [_change_password],
    "signin/enrol.html": [_enrol],
}
# The password of an account that is only just made proves nothing.
_PROVES_NOTHING = {"access/join.html"}


def test_pages__every_field_for_a_password_or_code__is_tested_here() -> None:
    folder = settings.BASE_DIR / "templates"
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.html")
        if _PROOF.search(path.read_text())
    }
    assert found == PAGES.keys() | _PROVES_NOTHING


@pytest.mark.parametrize("prepare", [one for several in PAGES.values() for one in several])
def test_proof__guessed_too_often__is_refused_even_where_it_is_right(
    alice: User, shop: Project, prepare: Callable[[User], Page]
) -> None:
    page = prepare(alice)
    for _ in range(throttle.PAIR.failures):
        assert page.post(page.wrong) in (200, 403)
    assert page.post(page.right) == 429


def test_password__guessed_here_and_there__is_counted_together(alice: User, shop: Project) -> None:
    pages = [_sign_in(alice), _confirm_password(alice), _change_password(alice)]
    for number in range(throttle.PAIR.failures):
        assert pages[number % 3].post("wrong") in (200, 403)
    assert [page.post(PASSWORD) for page in pages] == [429] * 3


def test_code__guessed__is_counted_on_however_often_the_password_is_right(alice: User) -> None:
    page = _code(alice)
    for _ in range(throttle.PAIR.failures):
        assert page.post(page.wrong) == 200  # each after a sign-in with the right password
    assert page.post(page.right) == 429


def test_change_password__wrong_old_one__is_recorded_as_the_doing_of_that_session(
    alice: User,
) -> None:
    _change_password(alice).post("wrong")
    event = AuditEvent.objects.get(event="user.proof_failed")
    assert (event.actor, event.subject) == ("alice", "alice")


def test_locked__success_of_another_that_was_under_way__does_not_unlock_the_address(
    alice: User, bob: User
) -> None:
    """Else one's own account, signed in again and again, opens the address for guessing."""
    here, now = "192.0.2.1", clock.database_now()
    under_way = throttle.begin(account="bob", address=here, now=now)
    for number in range(throttle.ADDRESS.failures - 1):
        attempt = throttle.begin(account=f"name{number}", address=here, now=now)
        attempt.failed(event="user.sign_in_failed", subject="?", actor=acting(bob))
    under_way.succeeded(now=now)
    with pytest.raises(throttle.LockedOut):
        throttle.begin(account="alice", address=here, now=now)
