"""Web pages: which may read an answer, and which get one."""

import httpx
import pytest

from tests.flags.evaluator.listening import address, listening
from tests.flags.evaluator.publisher import Key, flag, new_key
from tests.flags.evaluator.shop import FLAGS, Shop

HOME, FOREIGN = "https://shop.example", "https://shop.example.evil.test"
READ_BY = "access-control-allow-origin"


@pytest.fixture
def page_key() -> Key:
    return new_key("client", origins=[HOME, "http://localhost:3000"])


@pytest.fixture
def anywhere_key() -> Key:
    return new_key("client", origins=["*"])


@pytest.fixture
def open_shop(shop: Shop, page_key: Key, anywhere_key: Key, client_key: Key) -> Shop:
    shop.open(flag("a", client_visible=True), keys=(page_key, anywhere_key, client_key))
    return shop


def ask(
    shop: Shop, key: Key, origin: str, path: str = FLAGS, body: object = None
) -> httpx.Response:
    return shop.post(path, body or {"context": {}}, key=key, headers={"Origin": origin})


@pytest.mark.parametrize("path", [FLAGS, f"{FLAGS}/a", f"{FLAGS}/nothing", "/api/v1/telemetry"])
def test_a_page_that_the_key_names__may_read_every_answer(
    open_shop: Shop, page_key: Key, path: str
) -> None:
    answer = ask(open_shop, page_key, HOME, path)
    assert answer.headers[READ_BY] == HOME
    assert answer.headers["vary"] == "Origin"
    assert {"ETag", "Retry-After"} <= set(
        answer.headers["access-control-expose-headers"].split(", ")
    )


def test_a_refusal_and_a_304__may_be_read_as_well(open_shop: Shop, page_key: Key) -> None:
    bad = open_shop.post(FLAGS, b"{", key=page_key, headers={"Origin": HOME})
    assert (bad.status_code, bad.headers[READ_BY]) == (400, HOME)
    tag = ask(open_shop, page_key, HOME).headers["etag"]
    told = {"Origin": HOME, "If-None-Match": tag}
    same = open_shop.post(FLAGS, {"context": {}}, key=page_key, headers=told)
    assert (same.status_code, same.headers[READ_BY]) == (304, HOME)


@pytest.mark.parametrize("origin", [FOREIGN, "http://shop.example", HOME + ":8443", "null", "*"])
def test_a_page_that_the_key_does_not_name__gets_nothing_but_the_reason(
    open_shop: Shop, page_key: Key, origin: str
) -> None:
    answer = ask(open_shop, page_key, origin)
    assert answer.status_code == 403
    assert list(answer.json()) == ["errorDetails"]
    assert "origin" in answer.json()["errorDetails"]
    assert answer.headers[READ_BY] == origin


def test_a_page_whose_key_was_revoked__may_read_that(open_shop: Shop, page_key: Key) -> None:
    open_shop.publish({page_key.field: None})
    answer = ask(open_shop, page_key, FOREIGN)
    assert (answer.status_code, answer.headers[READ_BY]) == (401, FOREIGN)
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", FLAGS, 401),
        ("GET", "/ofrep/v1/events?ticket=none", 401),
        ("GET", "/flagd/v1/flags.json", 401),
        ("POST", FLAGS + "/", 404),
        ("GET", FLAGS, 405),
        ("POST", "/health", 405),
    ],
)
def test_a_refusal_without_a_key__may_be_read_by_any_page(
    open_shop: Shop, method: str, path: str, status: int
) -> None:
    answer = open_shop.evaluator.http.request(method, path, headers={"Origin": FOREIGN})
    assert (answer.status_code, answer.headers.get(READ_BY)) == (status, FOREIGN)
    assert READ_BY not in open_shop.evaluator.http.request(method, path).headers


def test_an_admin_key__is_told_so(open_shop: Shop) -> None:
    answer = ask(open_shop, new_key("admin"), FOREIGN)
    assert (answer.status_code, answer.headers[READ_BY]) == (403, FOREIGN)


def test_a_star__names_every_page(open_shop: Shop, anywhere_key: Key) -> None:
    assert ask(open_shop, anywhere_key, FOREIGN).headers[READ_BY] == FOREIGN


def test_a_phone__sends_no_origin_and_is_answered(open_shop: Shop, page_key: Key) -> None:
    assert open_shop.ask("a", key=page_key).status_code == 200


def test_server_keys_and_client_keys_without_origins__are_read_by_no_page(
    open_shop: Shop, client_key: Key
) -> None:
    for key in (open_shop.key, client_key):
        answer = ask(open_shop, key, HOME)
        assert answer.status_code == 200
        assert READ_BY not in answer.headers


@pytest.mark.parametrize(
    ("path", "method"), [(FLAGS, "POST"), (f"{FLAGS}/a", "POST"), ("/ofrep/v1/events", "GET")]
)
def test_a_preflight__is_told_what_may_be_asked(open_shop: Shop, path: str, method: str) -> None:
    asked = {"Origin": FOREIGN, "Access-Control-Request-Method": method}
    answer = open_shop.evaluator.http.options(path, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == method
    assert answer.headers[READ_BY] == FOREIGN
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "x-api-key", "content-type", "if-none-match"} <= set(allowed)


def test_options_of_no_browser__is_a_method_not_taken(open_shop: Shop) -> None:
    assert open_shop.evaluator.http.options(FLAGS).status_code == 405
    asked = {"Origin": HOME, "Access-Control-Request-Method": "GET"}
    assert open_shop.evaluator.http.options("/health", headers=asked).status_code == 405


def test_a_stream__is_for_the_same_pages(open_shop: Shop, page_key: Key) -> None:
    target = address(open_shop, page_key)
    with listening(open_shop, target, Origin=HOME) as ear:
        assert ear.response.headers[READ_BY] == HOME
    refused = open_shop.evaluator.http.get(target, headers={"Origin": FOREIGN})
    assert (refused.status_code, refused.headers[READ_BY]) == (403, FOREIGN)
