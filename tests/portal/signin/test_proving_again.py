"""Being asked again who one is, before what would hurt most."""

import html
import re
import time

import pytest
from django.test import Client

from portal.access.models import ApiKey, Project, User
from portal.access.signin import throttle
from tests.portal.signin.test_two_factor import enrol
from tests.support import totp
from tests.support.people import PASSWORD, client_of, prove

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "dialog"}
NEW_KEY = "/p/shop/keys/new"
KEY = {"name": 'Till "3" <b>', "environment": "production", "kind": "server"}
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture
def stale(alice: User, shop: Project) -> Client:
    """Alice's browser, sixteen minutes after she signed in."""
    client = client_of(alice)
    prove(client, alice, at=time.time() - 16 * 60)
    return client


def carried(page: str) -> dict[str, str]:
    """The fields that the question carries on."""
    found = {name: html.unescape(value) for name, value in _HIDDEN.findall(page)}
    found.pop("csrfmiddlewaretoken", None)
    return found


def test_new_key__long_after_signing_in__asks_and_keeps_what_was_typed(stale: Client) -> None:
    answer = stale.post(NEW_KEY, KEY, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert answer["HX-Retarget"] == "#dialog"
    assert f'hx-post="{NEW_KEY}"' in page
    assert 'name="confirm_password"' in page
    assert carried(page) == KEY
    assert not ApiKey.objects.exists()


def test_new_key__password_confirmed__is_made_in_the_same_step(stale: Client) -> None:
    fields = carried(stale.post(NEW_KEY, KEY, headers=HTMX).content.decode())
    answer = stale.post(NEW_KEY, fields | {"confirm_password": PASSWORD}, headers=HTMX)
    assert answer.status_code == 200
    assert ApiKey.objects.get().name == KEY["name"]
    assert PASSWORD not in answer.content.decode()
    assert stale.post(NEW_KEY, KEY, headers=HTMX).status_code == 200  # for a while


def test_new_key__wrong_password__asks_again_and_makes_nothing(stale: Client) -> None:
    answer = stale.post(NEW_KEY, KEY | {"confirm_password": "wrong"}, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Wrong password or code" in page
    assert "wrong" not in page
    assert carried(page) == KEY
    assert not ApiKey.objects.exists()


def test_new_key__guessing_the_password__is_limited(stale: Client) -> None:
    """A stolen session is no way around the limits of signing in."""
    for _ in range(throttle.PAIR.failures):
        stale.post(NEW_KEY, KEY | {"confirm_password": "wrong"}, headers=HTMX)
    answer = stale.post(NEW_KEY, KEY | {"confirm_password": PASSWORD}, headers=HTMX)
    assert answer.status_code == 429
    assert "Too many attempts" in answer.content.decode()


def test_new_key__without_htmx__asks_on_a_page(stale: Client) -> None:
    answer = stale.post(NEW_KEY, KEY)
    assert answer.status_code == 403
    assert b"<html" in answer.content
    assert carried(answer.content.decode()) == KEY


def test_new_key__reading__asks_nothing(stale: Client) -> None:
    assert stale.get(NEW_KEY, headers=HTMX).status_code == 200


def test_new_key__who_may_not__is_told_so_and_not_asked(bob: User, shop: Project) -> None:
    client = client_of(bob)
    prove(client, bob, at=0)
    answer = client.post(NEW_KEY, KEY | {"confirm_password": PASSWORD}, headers=HTMX)
    assert answer.status_code == 403
    assert b"confirm_password" not in answer.content


def test_new_key__proof_of_somebody_else__does_not_count(
    alice: User, bob: User, shop: Project
) -> None:
    client = Client()
    client.force_login(alice)
    prove(client, bob, at=time.time())
    assert client.post(NEW_KEY, KEY).status_code == 403


def test_new_key__target_of_the_page__is_kept(stale: Client) -> None:
    headers = HTMX | {"HX-Target": "members"}
    page = stale.post(NEW_KEY, KEY, headers=headers).content.decode()
    assert 'hx-target="#members" hx-swap="outerHTML"' in page


@pytest.mark.parametrize(
    "path",
    [
        NEW_KEY,
        "/p/shop/members/new",
        "/account/two-factor",
        "/account/two-factor/remove",
        "/account/recovery-codes/new",
        "/account/links/new",
    ],
)
def test_dangerous__each__asks(stale: Client, path: str) -> None:
    answer = stale.post(path, {"username": "erin", "role": "viewer"})
    assert answer.status_code == 403
    assert b"confirm_password" in answer.content
    assert not User.objects.filter(username="erin").exists()


def test_dangerous__without_a_password__takes_a_code(alice: User, shop: Project) -> None:
    client = client_of(alice)
    secret = enrol(client)
    alice.set_unusable_password()
    alice.save()
    client = client_of(alice)
    prove(client, alice, at=0)
    assert 'name="confirm_code"' in client.post(NEW_KEY, KEY).content.decode()
    wrong = client.post(NEW_KEY, KEY | {"confirm_code": totp.wrong_code(secret)})
    assert wrong.status_code == 403
    assert client.post(NEW_KEY, KEY | {"confirm_code": totp.next_code(secret)}).status_code == 200


def test_signing_in__counts_as_proof(client: Client, alice: User, shop: Project) -> None:
    client.post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert client.post(NEW_KEY, KEY).status_code == 200
