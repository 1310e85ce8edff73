"""Who may ask: keys, verified from memory."""

import time

import pytest

from tests.flags.evaluator.publisher import Key, flag, new_key
from tests.flags.evaluator.shop import FLAGS, Shop
from tests.support.waiting import wait_until

BODY: dict[str, object] = {"context": {}}


def _status(shop: Shop, headers: dict[str, str]) -> int:
    answer = shop.evaluator.http.post(f"{FLAGS}/a", json=BODY, headers=headers)
    if answer.status_code == 401:
        assert list(answer.json()) == ["errorDetails"]
        assert answer.headers["www-authenticate"] == "Bearer"
    return answer.status_code


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_bearer_token_opens(shop: Shop, scheme: str) -> None:
    shop.open(flag("a"))
    assert _status(shop, {"Authorization": scheme + shop.key.token}) == 200


def test_an_api_key_header_opens(shop: Shop) -> None:
    shop.open(flag("a"))
    assert _status(shop, {"X-API-Key": shop.key.token}) == 200


def test_an_api_key_header_opens_behind_a_proxy_with_basic_authentication(shop: Shop) -> None:
    shop.open(flag("a"))
    assert _status(shop, {"Authorization": "Basic eDp5", "X-API-Key": shop.key.token}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"X-API-Key": ""},
        {"X-API-Key": "nonsense"},
        {"X-API-Key": "av_server_short_secret"},
        {"X-API-Key": "av_server_" + "a" * 16 + "_" + "b" * 43},
        {"X-API-Key": "av_admin_" + "a" * 16},
        {"X-API-Key": "av_" * 4_000},
    ],
)
def test_a_stranger_is_asked_for_a_key(shop: Shop, headers: dict[str, str]) -> None:
    shop.open(flag("a"))
    assert _status(shop, headers) == 401
    bulk = shop.evaluator.http.post(FLAGS, json=BODY, headers=headers)
    assert bulk.status_code == 401


def test_a_key_changed_in_any_part_is_refused(shop: Shop) -> None:
    shop.open(flag("a"))
    token, (product, _, selector, secret) = shop.key.token, shop.key.token.split("_", 3)
    other = new_key().token.split("_", 3)
    for forged in (
        f"{product}_server_{selector}_{other[3]}",
        f"{product}_server_{other[2]}_{secret}",
        f"{product}_client_{selector}_{secret}",
        f"xx_server_{selector}_{secret}",
        token[:-1],
        token + "A",
        token.upper(),
    ):
        assert _status(shop, {"X-API-Key": forged}) == 401, forged


def test_access_is_refused_before_the_body_is_looked_at(shop: Shop) -> None:
    request = f"POST {FLAGS}/a HTTP/1.1\r\nHost: test\r\nContent-Length: 500\r\n\r\n"
    assert shop.send(request.encode())[0] == 401


def test_a_key_revoked_while_running_is_refused_at_once(shop: Shop) -> None:
    extra = new_key()
    shop.open(flag("a"), keys=(extra,))
    assert _status(shop, extra.headers) == 200
    shop.publish({extra.field: None})
    assert _status(shop, extra.headers) == 401
    assert _status(shop, shop.key.headers) == 200


def test_a_key_created_while_running_opens_at_once(shop: Shop) -> None:
    shop.open(flag("a"))
    extra = new_key()
    assert _status(shop, extra.headers) == 401
    shop.publish({extra.field: extra.document})
    assert _status(shop, extra.headers) == 200


def test_an_expired_key_is_refused_and_says_so(shop: Shop) -> None:
    expired = new_key(expires_at=time.time() - 1)
    lasting = new_key(expires_at=time.time() + 3600)
    shop.open(flag("a"), keys=(expired, lasting))
    answer = shop.ask("a", key=expired)
    assert answer.status_code == 401
    assert "expired" in answer.json()["errorDetails"]
    assert _status(shop, lasting.headers) == 200


def test_a_key_expires_while_running(shop: Shop) -> None:
    brief = new_key(expires_at=time.time() + 0.7)
    shop.open(flag("a"), keys=(brief,))
    assert _status(shop, brief.headers) == 200
    wait_until(lambda: _status(shop, brief.headers) == 401)


@pytest.mark.parametrize("is_published", [True, False])
def test_an_admin_key_does_not_evaluate(shop: Shop, is_published: bool) -> None:
    admin = new_key("admin")
    shop.open(flag("a"), keys=(admin,) if is_published else ())
    answer = shop.ask("a", key=admin)
    assert answer.status_code == 403
    assert "server or client key" in answer.json()["errorDetails"]


def test_a_client_key_sees_only_what_is_meant_for_it(shop: Shop, client_key: Key) -> None:
    shop.open(flag("public", client_visible=True), flag("internal"), keys=(client_key,))
    assert [item["key"] for item in shop.ask_all(key=client_key).json()["flags"]] == ["public"]
    assert shop.ask("public", key=client_key).status_code == 200
    hidden, unknown = shop.ask("internal", key=client_key), shop.ask("no-such", key=client_key)
    assert (hidden.status_code, unknown.status_code) == (404, 404)
    assert hidden.text.replace("internal", "no-such") == unknown.text


def test_a_client_key_is_not_told_which_hidden_flag_is_asked_first(
    shop: Shop, client_key: Key
) -> None:
    asks = [{"flag": "internal", "variants": ["off"]}]
    public = flag("public", client_visible=True, prerequisites=asks)
    shop.open(public, flag("internal"), keys=(client_key,))
    for answer in (shop.ask("public", key=client_key), shop.ask_all(key=client_key)):
        assert answer.status_code == 200
        assert "internal" not in answer.text
    assert shop.ask("public").json()["metadata"]["prerequisite"] == "internal"


def test_a_client_key_is_not_told_what_is_wrong_with_a_flag(shop: Shop, client_key: Key) -> None:
    shop.open(flag("a", client_visible=True, rules=["secret rule"]), keys=(client_key,))
    answer = shop.ask("a", key=client_key)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "GENERAL")
    assert answer.json()["errorDetails"] == "flag 'a' cannot be evaluated"


def test_a_key_opens_only_its_own_environment(shop: Shop, neighbour: Shop) -> None:
    shop.open(flag("a", "mine"), flag("only-mine"))
    neighbour.open(flag("a", "theirs"), flag("only-theirs"))
    assert (shop.value("a"), neighbour.value("a")) == ("mine", "theirs")
    assert shop.ask("only-theirs").status_code == 404
    assert neighbour.ask("only-mine").status_code == 404
    keys = [item["key"] for item in neighbour.ask_all().json()["flags"]]
    assert keys == ["a", "only-theirs"]


def test_a_key_document_that_makes_no_sense_opens_nothing(shop: Shop) -> None:
    odd = new_key()
    others = [{"verifier": "short"}, {"kind": "root"}, {"selector": "b" * 16}, {"expires_at": "x"}]
    shop.open(flag("a"))
    for changes in others:
        shop.publish({odd.field: {**odd.document, **changes}})
        assert _status(shop, odd.headers) == 401
    shop.publish({odd.field: odd.document})
    assert _status(shop, odd.headers) == 200
