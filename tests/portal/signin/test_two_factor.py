"""The second factor: enrolling, signing in with it, and what to do without the phone."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import call_command
from django.test import Client

from portal.access.models import User
from portal.access.signin import throttle
from portal.audit.models import AuditEvent
from tests.support import totp
from tests.support.people import PASSWORD, client_of

pytestmark = pytest.mark.django_db
ENROL, CODES, CODE = "/account/two-factor", "/account/recovery-codes", "/sign-in/code"


def events(name: str = "alice") -> list[str]:
    found = AuditEvent.objects.filter(subject=name).order_by("sequence")
    return list(found.values_list("event", flat=True))


def shown_secret(client: Client) -> str:
    found = re.search(
        r'id="secret" readonly value="([A-Z2-7]+)"', client.get(ENROL).content.decode()
    )
    assert found
    return found[1]


def shown_codes(client: Client) -> list[str]:
    return re.findall(
        r"^(?:<pre[^>]*>)?\s*(?:.*>)?(\d{8})$", client.get(CODES).content.decode(), re.M
    )


def enrol(client: Client) -> str:
    """The secret, enrolled with the code of now; ``totp.next_code`` is good after it."""
    secret = shown_secret(client)
    answer = client.post(ENROL, {"code": totp.code(secret)})
    assert answer.status_code == 302, answer.content
    return secret


@pytest.fixture
def secret(alice_client: Client) -> str:
    return enrol(alice_client)


@pytest.fixture
def codes(alice_client: Client, secret: str) -> list[str]:
    return shown_codes(alice_client)


def half_way(name: str = "alice") -> Client:
    """A browser that has given the password and has not given the code."""
    client = Client()
    answer = client.post("/sign-in", {"username": name, "password": PASSWORD, "next": "/account/"})
    assert answer["Location"] == CODE
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_enrol__qr_code__is_an_image_that_the_policy_allows(alice_client: Client) -> None:
    answer = alice_client.get(ENROL)
    page = answer.content.decode()
    assert 'src="data:image/svg+xml;base64,' in page
    assert "<svg:" not in page
    assert "style=" not in re.sub(r'"data:[^"]*"', "", page)
    assert "img-src 'self' data:" in answer["Content-Security-Policy"]


def test_enrol__wrong_code__keeps_the_secret(alice_client: Client) -> None:
    secret = shown_secret(alice_client)
    answer = alice_client.post(ENROL, {"code": totp.wrong_code(secret)})
    assert answer.status_code == 200
    assert secret in answer.content.decode()
    assert "Incorrect code" in answer.content.decode()
    assert not Authenticator.objects.exists()


def test_enrol__secret_and_codes__are_encrypted_at_rest_and_never_recorded(
    secret: str, codes: list[str]
) -> None:
    kept = str(list(Authenticator.objects.values()))
    assert secret not in kept
    trail = str(list(AuditEvent.objects.values()))
    assert not [each for each in (secret, *codes) if each in trail or each in kept]
    assert "user.two_factor_enabled" in events()


def test_enrol__that_cannot_be_recorded__does_not_happen(
    alice_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(entries: object) -> None:
        raise RuntimeError("the audit trail is full")

    secret = shown_secret(alice_client)
    monkeypatch.setattr("portal.lib.journal._recorder", fail)
    alice_client.raise_request_exception = False
    assert alice_client.post(ENROL, {"code": totp.next_code(secret)}).status_code == 500
    assert not Authenticator.objects.exists()


def test_sign_in__with_two_factor__takes_the_code(secret: str) -> None:
    client = half_way()
    assert not is_in(client)
    answer = client.post(CODE, {"code": totp.next_code(secret)})
    assert answer["Location"] == "/account/"
    assert is_in(client)
    assert events()[-1] == "user.signed_in"


def test_sign_in__password_alone__opens_nothing(secret: str) -> None:
    client = half_way()
    for path in ("/", "/projects", "/account/", ENROL, CODES):
        assert client.get(path)["Location"].startswith("/sign-in?next=")


def test_sign_in__code_used_before__is_refused(secret: str) -> None:
    code = totp.next_code(secret)
    first, second = half_way(), half_way()
    assert first.post(CODE, {"code": code}).status_code == 302
    again = second.post(CODE, {"code": code})
    assert "Incorrect code" in again.content.decode()
    assert not is_in(second)


def test_sign_in__code_used_before__is_refused_by_a_process_that_never_saw_it(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """allauth notes used codes in the memory of one process, for one step out of three."""
    monkeypatch.setattr("django.core.cache.cache.add", lambda *args, **kwargs: True)
    code = totp.next_code(secret)
    assert half_way().post(CODE, {"code": code}).status_code == 302
    assert half_way().post(CODE, {"code": code}).status_code == 200
    assert half_way().post(CODE, {"code": totp.code(secret)}).status_code == 200


def test_sign_in__code_of_minutes_to_come__is_refused(secret: str) -> None:
    assert half_way().post(CODE, {"code": totp.code(secret, steps=4)}).status_code == 200


def test_sign_in__wrong_codes__lock(secret: str) -> None:
    client = half_way()
    for _ in range(throttle.PAIR.failures):
        assert client.post(CODE, {"code": totp.wrong_code(secret)}).status_code == 200
    answer = client.post(CODE, {"code": totp.next_code(secret)})
    assert answer.status_code == 429
    assert "Try again in 15 minutes" in answer.content.decode()
    assert events()[-6:] == ["user.two_factor_failed"] * 5 + ["user.locked_out"]
    assert half_way().post(CODE, {"code": totp.next_code(secret)}).status_code == 429


def test_sign_in__recovery_code__works_once(codes: list[str]) -> None:
    assert len(codes) == 10
    assert half_way().post(CODE, {"code": codes[3]}).status_code == 302
    assert "user.recovery_code_used" in events()
    assert half_way().post(CODE, {"code": codes[3]}).status_code == 200
    assert half_way().post(CODE, {"code": codes[4]}).status_code == 302


def test_sign_in__start_over__forgets_the_password(secret: str) -> None:
    client = half_way()
    assert client.get("/sign-in")["Location"] == CODE
    client.post("/sign-in/start-over")
    assert client.get("/sign-in").status_code == 200
    assert client.get(CODE)["Location"] == "/sign-in"


def test_recovery_codes__are_shown_once(alice_client: Client, codes: list[str]) -> None:
    page = alice_client.get(CODES).content.decode()
    assert "not shown again" in page
    assert not [code for code in codes if code in page]


def test_recovery_codes__new_ones__end_the_old(alice_client: Client, codes: list[str]) -> None:
    assert alice_client.post("/account/recovery-codes/new").status_code == 302
    new = shown_codes(alice_client)
    assert len(new) == 10
    assert not set(new) & set(codes)
    assert "user.recovery_codes_renewed" in events()
    assert half_way().post(CODE, {"code": codes[0]}).status_code == 200
    assert half_way().post(CODE, {"code": new[0]}).status_code == 302


def test_remove__own__asks_for_the_password_alone_from_then_on(
    alice_client: Client, codes: list[str]
) -> None:
    assert alice_client.post("/account/two-factor/remove").status_code == 302
    answer = Client().post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer["Location"] == "/"
    assert "user.two_factor_disabled" in events()
    assert not Authenticator.objects.exists()


def test_removetwofactor__who_lost_everything__signs_in_with_the_password(codes: list[str]) -> None:
    call_command("removetwofactor", "alice", verbosity=0)
    answer = Client().post("/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer["Location"] == "/"


def test_required__who_has_not_enrolled__gets_nowhere_else(
    alice: User, shop: object, settings: object
) -> None:
    settings.REQUIRE_TWO_FACTOR = True  # type: ignore[attr-defined]
    client = client_of(alice)
    for path in ("/", "/p/shop/flags/", "/account/", "/account/password"):
        assert client.get(path)["Location"] == ENROL
    by_htmx = client.get("/p/shop/flags/", headers={"HX-Request": "true"})
    assert by_htmx["HX-Redirect"] == ENROL
    assert client.get("/health").status_code == 200
    enrol(client)
    assert client.get(CODES).status_code == 200
    assert client.get("/p/shop/flags/").status_code == 200


def test_required__who_has_not_enrolled__may_sign_out(
    alice_client: Client, settings: object
) -> None:
    settings.REQUIRE_TWO_FACTOR = True  # type: ignore[attr-defined]
    assert alice_client.post("/sign-out").status_code == 302
    assert not is_in(alice_client)
