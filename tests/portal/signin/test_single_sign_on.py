"""Single sign-on, against a provider that is a real process with real keys."""

import itertools
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.portal.signin import accounts
from tests.portal.signin.conftest import CALLBACK, Visitor
from tests.support.oidc_provider import OidcProvider
from tests.support.stack import Stack

Visit = Callable[..., Visitor]
_numbers = itertools.count(1)


@pytest.fixture
def erin() -> str:
    """Someone whom the portal has never seen."""
    return f"erin{next(_numbers)}"


def events(nest: Stack, subject: str) -> list[str]:
    found: list[str] = nest.inside(accounts.events, subject=subject)
    return found


def is_refused(answer: httpx.Response, visitor: Visitor) -> None:
    assert answer.status_code == 400, answer.text
    assert "Nest did not confirm who you are" in answer.text
    assert not visitor.is_in()


def test_sign_in__someone_new__has_an_account_without_any_role(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin, email=f"{erin}@example.com", email_verified=True)
    visitor = visit()
    answer = visitor.go_round()
    assert answer.status_code == 302
    assert "Ask a site administrator" in visitor.get("/projects").text
    assert f"{erin}@example.com" in visitor.get("/account/").text
    assert events(nest, erin) == ["user.created", "user.sign_in_linked", "user.signed_in"]


def test_sign_in__second_time__is_the_same_account(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    visit().go_round()
    provider.expect(erin, preferred_username="renamed")
    again = visit()
    assert again.go_round().status_code == 302
    assert erin in again.get("/account/").text
    assert events(nest, erin).count("user.created") == 1


def test_sign_in__name_that_looks_like_another__gets_a_number(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    visit().go_round()
    for number, name in enumerate((erin.upper(), erin.replace("e", "\uff45")), start=2):
        provider.expect(f"{erin}-{number}", preferred_username=name)
        visitor = visit()
        assert visitor.go_round().status_code == 302
        assert f"-{number}" in visitor.get("/account/").text
    provider.expect(f"{erin}-mixed", preferred_username=erin.replace("e", "\u0435"))
    assert visit().go_round().status_code == 302


def test_sign_in__wanted_page__is_reached(provider: OidcProvider, visit: Visit, erin: str) -> None:
    provider.expect(erin)
    assert visit().go_round(next="/account/").headers["Location"] == "/account/"
    provider.expect(erin)
    assert visit().go_round(next="//evil.example/").headers["Location"] == "/"


def test_sign_in__asks_with_state_nonce_and_pkce(provider: OidcProvider, visit: Visit) -> None:
    asked = parse_qs(urlsplit(visit().leave()).query)
    assert len(asked["state"][0]) >= 16
    assert len(asked["nonce"][0]) >= 32
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43


def test_sign_in__name_or_address_of_somebody_here__is_never_taken_for_them(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    nest.inside(accounts.change, name="admin", to={"email": "admin@example.com"})
    provider.expect(
        erin, preferred_username="admin", email="admin@example.com", email_verified=True
    )
    visitor = visit()
    visitor.go_round()
    assert visitor.is_in()
    assert visitor.get("/people/").status_code == 403
    assert "admin-" in visitor.get("/account/").text


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-application"},
        {"aud": ["aviary", "another-application"]},
        {"exp": 1_500_000_000},
        {"exp": None},
        {"sub": ""},
        {"sub": "x" * 300},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_sign_in__token_that_is_not_for_this_sign_in__is_refused(
    provider: OidcProvider, visit: Visit, erin: str, changes: dict[str, Any]
) -> None:
    provider.next({"claims": {"sub": erin} | changes})
    visitor = visit()
    is_refused(visitor.go_round(), visitor)


@pytest.mark.parametrize("how", [{"forge": True}, {"alg": "none"}], ids=str)
def test_sign_in__token_that_the_provider_did_not_sign__is_refused(
    provider: OidcProvider, visit: Visit, erin: str, how: dict[str, Any]
) -> None:
    provider.next({"claims": {"sub": erin}} | how)
    visitor = visit()
    is_refused(visitor.go_round(), visitor)


def test_sign_in__wrong_state__is_refused(provider: OidcProvider, visit: Visit, erin: str) -> None:
    provider.expect(erin)
    visitor = visit()
    back = visitor.come_back(visitor.leave())
    state = parse_qs(urlsplit(back).query)["state"][0]
    is_refused(visitor.get(back.replace(state, "x" * len(state))), visitor)
    is_refused(visitor.get(f"{CALLBACK}?code=x"), visitor)


def test_sign_in__callback_of_another_browser__is_refused(
    provider: OidcProvider, visit: Visit, erin: str
) -> None:
    """An attacker's own code, brought to somebody else's browser."""
    provider.expect(erin)
    attacker, victim = visit(), visit()
    back = attacker.come_back(attacker.leave())
    is_refused(victim.get(back), victim)


def test_sign_in__callback_used_twice__is_refused(
    provider: OidcProvider, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    visitor = visit()
    back = visitor.come_back(visitor.leave())
    assert visitor.get(back).status_code == 302
    visitor.post("/sign-out")
    visitor.get("/sign-in")
    is_refused(visitor.get(back), visitor)


def test_sign_in__that_the_provider_denied__is_refused(
    provider: OidcProvider, visit: Visit
) -> None:
    visitor = visit()
    state = parse_qs(urlsplit(visitor.leave()).query)["state"][0]
    is_refused(visitor.get(f"{CALLBACK}?error=access_denied&state={state}"), visitor)


def test_sign_in__deactivated_person__is_refused(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    visit().go_round()
    nest.inside(accounts.change, name=erin, to={"is_active": False})
    visitor = visit()
    answer = visitor.go_round()
    assert answer.status_code == 403
    assert "deactivated" in answer.text
    assert not visitor.is_in()


@pytest.mark.parametrize(
    "lie", [{"issuer": "https://evil.example"}, {"token_endpoint": "file:///etc/passwd"}], ids=str
)
def test_sign_in__provider_that_contradicts_the_settings__is_not_asked(
    provider: OidcProvider, visit: Visit, lie: dict[str, str]
) -> None:
    provider.next({"discovery": lie})
    answer = visit().post("/sign-in/provider")
    assert answer.status_code == 503
    assert "Nest does not answer" in answer.text


def test_leaving_takes_a_post_with_its_token(visit: Visit) -> None:
    visitor = visit()
    assert visitor.get("/sign-in/provider").status_code == 405
    assert visitor.client.post("/sign-in/provider").status_code == 403


def test_host_header__does_not_reach_the_callback_address(nest: Stack, visit: Visit) -> None:
    visitor = visit()
    visitor.client.headers["Host"] = "localhost"
    asked = parse_qs(urlsplit(visitor.leave()).query)
    assert asked["redirect_uri"] == [nest.portal_url + CALLBACK]


def test_link__account_here__signs_in_through_the_provider_from_then_on(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    admin = visit()
    admin.sign_in("admin", nest.admin_password)
    assert admin.go_round("/account/links/new").headers["Location"] == "/account/"
    assert erin in admin.get("/account/").text
    visitor = visit()
    visitor.go_round()
    assert visitor.get("/people/").status_code == 200
    assert "user.sign_in_linked" in events(nest, "admin")


def test_link__sign_in_of_somebody_else__stays_theirs(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    visit().go_round()
    admin = visit()
    admin.sign_in("admin", nest.admin_password)
    answer = admin.go_round("/account/links/new")
    assert answer.status_code == 400
    assert "belongs to an account already" in answer.text


def test_link__whoever_signed_in_meanwhile__is_not_linked(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    admin = visit()
    admin.sign_in("admin", nest.admin_password)
    back = admin.come_back(admin.leave("/account/links/new"))
    admin.post("/sign-out")
    assert admin.get(back).status_code == 400


def test_prove_again__through_the_provider__is_fresh_only_for_oneself(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    """The provider saw them an hour ago, so what is dangerous takes a new proof."""
    provider.expect(erin, auth_time=int(time.time()) - 3600)
    visitor = visit()
    visitor.go_round()
    asked = visitor.post("/account/two-factor/remove")
    assert asked.status_code == 403
    assert "Sign in with Nest" in asked.text
    provider.expect("somebody-else")
    assert visitor.go_round("/account/prove-again", next="/account/").status_code == 400
    assert visitor.post("/account/two-factor/remove").status_code == 403
    provider.expect(erin)
    assert visitor.go_round("/account/prove-again", next="/account/").status_code == 302
    assert visitor.post("/account/two-factor/remove").status_code == 302


def test_unlink__the_only_way_in__stays(
    provider: OidcProvider, nest: Stack, visit: Visit, erin: str
) -> None:
    provider.expect(erin)
    visitor = visit()
    visitor.go_round()
    link = nest.inside(accounts.link_of, name=erin)
    answer = visitor.post(f"/account/links/{link}/remove")
    assert answer.status_code == 400
    assert "your only way to sign in" in answer.text
