"""Whatever is sent, the answer is a 4xx with one clear sentence."""

import socket

import pytest

from tests.flags.evaluator.publisher import flag
from tests.flags.evaluator.shop import FLAGS, Shop

MEBIBYTE = 1024 * 1024
GOOD = b'{"context":{"targetingKey":"u-1"}}'


@pytest.fixture(autouse=True)
def _open_shop(shop: Shop) -> None:
    shop.open(flag("a"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"context":{"a":NaN}}',
        b'{"context":{"a":Infinity}}',
        b'{"context":{"a":1e400}}',
        b'{"context":{"a":-1e400}}',
        b'{"context":{"a":01}}',
        b'{"context":{}} trailing',
        b'{"context":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"context":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
        b'{"context":{"a:":' + b"[" * 1_010 + b"]" * 1_010 + b"}}",
        b'{"context":{"a":"\x00"}}',
        b'{"context":{"a":"\\u0000"}}',
        b'{"context":{"a\\u0000":1}}',
        b'{"context":{"a":"\\ud800"}}',
        b'{"context":{"a":"\\udc00x"}}',
        b'{"context":{"a":"\xed\xa0\x80"}}',
        b'{"context":{"a":"\xff"}}',
        '{"context":{}}'.encode("utf-16"),
        b"\xef\xbb\xbf" + GOOD,
        b'{"context":{},"context":{}}',
        b'{"context":{"a":1,"a":1}}',
        b'{"context":{"a":1,"\\u0061":2}}',
        b'{"context":{"list":[{"deep":{"b":1,"c":"::","b":2}}]}}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_not_proper_json_is_a_parse_error(shop: Shop, body: bytes) -> None:
    answer = shop.post(f"{FLAGS}/a", body)
    assert answer.status_code == 400
    assert (answer.json()["key"], answer.json()["errorCode"]) == ("a", "PARSE_ERROR")
    assert 10 < len(answer.json()["errorDetails"]) < 200


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'"context"',
        b"{}",
        b'{"context":null}',
        b'{"context":[]}',
        b'{"context":"u-1"}',
        b'{"context":{"targetingKey":7}}',
        b'{"context":{"targetingKey":null}}',
        b'{"context":{"targetingKey":["u-1"]}}',
        b'{"Context":{}}',
    ],
)
def test_what_is_no_context_is_an_invalid_context(shop: Shop, body: bytes) -> None:
    answer = shop.post(f"{FLAGS}/a", body)
    assert answer.status_code == 400
    assert (answer.json()["key"], answer.json()["errorCode"]) == ("a", "INVALID_CONTEXT")
    assert 10 < len(answer.json()["errorDetails"]) < 200


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        b'{"context":{}}',
        b'{"context":{"targetingKey":""}}',
        b'{"context":{"url":"https://example.com:80/","at":"2026-01-01T10:00:00Z"}}',
        b'{"context":{"a":{"b":1},"c":{"b":1},"list":[{"b":1},{"b":1}]}}',
        b'{"context":{"path":"C:\\\\u0000"}}',
        b'{"context":{"smile":"\\ud83d\\ude00"}}',
        b'{"context":{"big":123456789012345678901234567890}}',
        b'{"context":{},"flags":["a"],"unknown":1}',
        b" \r\n" + GOOD + b"\n",
    ],
)
def test_unusual_but_proper_bodies_are_answered(shop: Shop, body: bytes) -> None:
    assert shop.post(f"{FLAGS}/a", body).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-16",
        "application/json;charset=latin-1",
        "text/plain; charset=iso-8859-1",
    ],
)
def test_another_charset_is_a_parse_error(shop: Shop, content_type: str) -> None:
    answer = shop.post(f"{FLAGS}/a", GOOD, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "PARSE_ERROR")
    assert "application/json" in answer.json()["errorDetails"]


@pytest.mark.parametrize(
    "content_type",
    [
        "Application/JSON",
        "application/json; charset=UTF-8",
        'application/json;charset="utf-8"; x=y',
        "application/x-www-form-urlencoded",
        "text/plain",
        "json",
    ],
)
def test_json_in_utf8_is_read_whatever_it_is_called(shop: Shop, content_type: str) -> None:
    answer = shop.post(f"{FLAGS}/a", GOOD, headers={"Content-Type": content_type})
    assert answer.status_code == 200


def test_a_missing_content_type_is_accepted(shop: Shop) -> None:
    head = shop.head_of(f"{FLAGS}/a", f"Content-Length: {len(GOOD)}")
    assert shop.send(head + GOOD)[0] == 200


def test_a_body_of_exactly_one_mebibyte_is_accepted(shop: Shop) -> None:
    padding = b" " * (MEBIBYTE - len(GOOD))
    assert shop.post(f"{FLAGS}/a", GOOD + padding).status_code == 200
    assert shop.post(f"{FLAGS}/a", GOOD + padding + b" ").status_code == 413


def test_values_and_levels__up_to_the_limit_are_taken_and_beyond_are_refused(shop: Shop) -> None:
    def status(context: bytes) -> int:
        return shop.post(f"{FLAGS}/a", b'{"context":' + context + b"}").status_code

    # The context itself and the list in it are values too.
    for items in (b"0", b"[]", b'""', b"{}", b'"a,b"', b'"\\",\\""'):
        assert status(b'{"a":[' + b",".join([items] * 9_998) + b"]}") == 200, items
        assert status(b'{"a":[' + b",".join([items] * 9_999) + b"]}") == 400, items
    assert status(b"{%s}" % b",".join(b'"%d":1' % n for n in range(9_999))) == 200
    assert status(b"{%s}" % b",".join(b'"%d":1' % n for n in range(10_000))) == 400
    # The body and the context are two of the levels.
    for open_, close in ((b"[", b"]"), (b'{"a":', b"}")):
        filled = open_ * 62 + b"1" + close * 62
        assert status(b'{"a":' + filled + b"}") == 200, open_
        assert status(b'{"a":' + open_ + filled + close + b"}") == 400, open_


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
def test_an_encoded_body_is_refused(shop: Shop, encoding: str) -> None:
    answer = shop.post(f"{FLAGS}/a", GOOD, headers={"Content-Encoding": encoding})
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["errorDetails"]


@pytest.mark.parametrize("length", [str(MEBIBYTE + 1), "9" * 19, "0" * 30 + "1048577"])
def test_a_body_announced_too_large_is_refused_before_it_is_read(shop: Shop, length: str) -> None:
    # Nothing follows the head: a server that waited for the body would not answer.
    status, headers, answer = shop.send(shop.head_of(f"{FLAGS}/a", f"Content-Length: {length}"))
    assert status == 413
    assert headers["connection"] == "close"
    assert "larger" in answer["errorDetails"]


def test_a_body_in_chunks_is_cut_at_the_limit(shop: Shop) -> None:
    head = shop.head_of(f"{FLAGS}/a", "Transfer-Encoding: chunked")
    chunk = b"%x\r\n" % (MEBIBYTE // 2 + 1) + b" " * (MEBIBYTE // 2 + 1) + b"\r\n"
    assert shop.send(head + 2 * chunk)[0] == 413


def test_a_small_body_in_chunks_is_answered(shop: Shop) -> None:
    head = shop.head_of(f"{FLAGS}/a", "Transfer-Encoding: chunked")
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in GOOD) + b"0\r\n\r\n"
    status, _, answer = shop.send(head + chunks)
    assert (status, answer["value"]) == (200, True)


def test_a_length_with_blanks_behind_it_is_a_number(shop: Shop) -> None:
    status, _, answer = shop.send(
        shop.head_of(f"{FLAGS}/a", f"Content-Length: {len(GOOD)} \t") + GOOD
    )
    assert (status, answer["value"]) == (200, True)


@pytest.mark.parametrize("length", ["-1", "abc", "1,1", "0x10"])
def test_a_length_that_is_no_number_is_refused(shop: Shop, length: str) -> None:
    request = shop.head_of(f"{FLAGS}/a", f"Content-Length: {length}")
    assert _status_of(shop, request) == 400


def test_a_client_that_goes_away_hurts_nobody(shop: Shop) -> None:
    faults = shop.evaluator.metric("requests_total", route="fault", status="500")
    head = shop.head_of(f"{FLAGS}/a", "Content-Length: 500")
    _send_and_leave(shop, head + b'{"context":')
    assert shop.value("a") is True
    assert shop.evaluator.metric("requests_total", route="fault", status="500") == faults


def test_no_context_ever_reaches_the_log(shop: Shop) -> None:
    secret = "alice-lives-in-berlin"
    shop.ask("a", {"targetingKey": secret, "address": secret})
    shop.post(f"{FLAGS}/a", b'{"context":{"targetingKey":"%s"' % secret.encode())
    shop.post(f"{FLAGS}/a", b'{"context":{"a":"%s","a":1}}' % secret.encode())
    assert secret not in shop.evaluator.log()


def _status_of(shop: Shop, request: bytes) -> int:
    """The status alone: uvicorn's own parser answers in plain text."""
    with socket.create_connection(("127.0.0.1", shop.evaluator.port), timeout=5) as connection:
        connection.sendall(request)
        return int(connection.recv(64).split()[1])


def _send_and_leave(shop: Shop, request: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shop.evaluator.port), timeout=5) as connection:
        connection.sendall(request)
