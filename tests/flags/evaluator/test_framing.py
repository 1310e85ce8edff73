"""Requests as they come over the wire, cut anywhere: each is read as what it is, or refused."""

import asyncio
import socket
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from flags.evaluator.framing import RequestLimits
from tests.flags.evaluator.connections import Connection, ask
from tests.flags.evaluator.publisher import flag
from tests.flags.evaluator.shop import FLAGS, Shop
from tests.support.waiting import wait_until

JDK = Path("tests/cases/evaluator/jdk-http-client.bin").read_bytes()
"""Two requests on one connection, as java.net.http.HttpClient of JDK 17 sends them."""
BODY = '{"context":{"targetingKey":"alice"}}'

HEAD = b"POST /a HTTP/1.1\r\nHost: test\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\n\r\n"


def test_jdk_client__cut_at_every_byte__is_asked_twice_with_its_bodies() -> None:
    async def run() -> None:
        for place in range(len(JDK)):
            connection = Connection(RequestLimits())
            await connection.send([JDK[:place], JDK[place:]] if place else [JDK])
            assert [(one[1], one[3]) for one in connection.asked] == 2 * [
                ("/ofrep/v1/evaluate/flags/a", BODY)
            ], place
            assert not any("upgrade" in one[2] for one in connection.asked)
            connection.close()

    asyncio.run(run())


def test_jdk_client__byte_by_byte__is_asked_twice() -> None:
    assert [one[3] for one in ask(*(JDK[at : at + 1] for at in range(len(JDK)))).asked] == [
        BODY,
        BODY,
    ]


def _in_chunks(body: bytes, sizes: list[int]) -> bytes:
    parts, at = [], 0
    for size in sizes:
        part, at = body[at : at + size], at + size
        parts += [b"%x;x=y\r\n%b\r\n" % (len(part), part)] if part else []
    parts += [b"%X\r\n%b\r\n" % (len(body[at:]), body[at:])] if body[at:] else []
    return b"".join(parts) + b"0\r\nTrailer: x\r\n\r\n"


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, str]:
    """A request's bytes, and the body that is to be read from it."""
    body = draw(st.sampled_from([b"", b"x", HIDDEN, b"0\r\n\r\n", b"\r\n\r\n" * 3, BODY.encode()]))
    upgrade = draw(st.sampled_from([b"", b"Upgrade: h2c\r\nConnection: Upgrade\r\n"]))
    upgrade = draw(st.sampled_from([upgrade, upgrade.upper(), upgrade.replace(b": ", b":")]))
    if draw(st.booleans()):
        sizes = draw(st.lists(st.integers(1, 9), max_size=4))
        return HEAD + upgrade + b"Transfer-Encoding: chunked\r\n\r\n" + _in_chunks(
            body, sizes
        ), body.decode()
    length = b"Content-Length: %d\r\n" % len(body) if body or draw(st.booleans()) else b""
    return HEAD + length + upgrade + b"\r\n" + body, body.decode()


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 900), max_size=8))
def test_requests__in_a_row_and_cut_anywhere__are_read_as_what_they_are(
    sent: list[tuple[bytes, str]], cuts: list[int]
) -> None:
    stream = b"".join(one for one, _body in sent)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    connection = ask(*(stream[start:end] for start, end in pairwise(places)))
    assert [(one[1], one[3]) for one in connection.asked] == [("/a", body) for _one, body in sent]
    assert connection.refusal == 0


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (b"GET /" + b"a" * 8_200 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"a" * 8_200, 414),
        (HEAD + b"X: " + b"a" * 16_400 + b"\r\n\r\n", 431),
        (HEAD + b"X: " + b"a" * 48_000_000, 431),
        (HEAD + b"X: y\r\n" * 100 + b"\r\n", 431),
        (HEAD + b"X: y\r\n" * 200, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\nHost: test\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: test\n\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT shop.example:443 HTTP/1.1\r\n\r\n", 501),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 24\r\n\r\nx" + HIDDEN, 400),
        (CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + HIDDEN, 501),
        (HEAD + b"Transfer-Encoding: identity\r\n\r\n" + HIDDEN, 400),
        (HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
        (HEAD + b"X: y\r\n Upgrade: h2c\r\n\r\n" + HIDDEN, 400),
        (CHUNKED + b"\r\n0x1\r\nx\r\n0\r\n\r\n" + HIDDEN, 400),
        (CHUNKED + b"\r\n1\r\nxy\r\n0\r\n\r\n" + HIDDEN, 400),
        (CHUNKED + b"\r\n1 \r\nx\r\n0\r\n\r\n" + HIDDEN, 400),
        (CHUNKED + b"\r\n1\nx\r\n0\r\n\r\n" + HIDDEN, 400),
        (CHUNKED + b"\r\n1;" + b"x" * 300 + b"\r\n", 400),
        (CHUNKED + b"\r\n" + b"1\r\nx\r\n" * 2_001, 400),
        (CHUNKED + b"\r\n0\r\n" + b"x: y\r\n" * 2_001, 400),
    ],
    ids=lambda part: repr(part[:40]) if isinstance(part, bytes) else str(part),
)
def test_what_is_too_large_or_malformed__is_refused_and_nothing_after_it_is_read(
    stream: bytes, status: int
) -> None:
    connection = ask(stream, HIDDEN)
    assert connection.refusal == status
    assert (b"errorDetails" in connection.line.written, connection.asked) == (True, [])
    assert b"access-control-allow-origin: *\r\n" in connection.line.written


@pytest.mark.parametrize(
    "stream",
    [
        b"GET /" + b"a" * 8_170 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 16_370 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    ],
    ids=lambda stream: repr(stream[:30]),
)
def test_what_is_just_within_the_limits__is_asked(stream: bytes) -> None:
    assert len(ask(stream).asked) == 1


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"", ""),
        (b"\r\n", ""),
        (HEAD, "the head of the request did not arrive in time"),
        (HEAD + b"Content-Length: 5\r\n\r\n", "the body did not arrive in time"),
        (HEAD + b"Content-Length: 5\r\n\r\nx", "the body did not arrive in time"),
    ],
)
def test_what_does_not_go_on__is_given_up_on(stream: bytes, said: str) -> None:
    async def run() -> Connection:
        connection = Connection(RequestLimits(head_s=0.01, body_s=0.01))
        await connection.send([stream])
        while stream and not connection.refusal:
            await asyncio.sleep(0.01)
        connection.close()
        return connection

    connection = asyncio.run(run())
    assert connection.refusal == (408 if stream else 0)
    assert said.encode() in connection.line.written


def test_the_next_request__is_not_looked_at_before_the_first_is_answered(shop: Shop) -> None:
    shop.open(flag("a"))
    one = shop.head_of(f"{FLAGS}/a", "Content-Length: 14") + b'{"context":{}}'
    with socket.create_connection(("127.0.0.1", shop.evaluator.port), timeout=5) as connection:
        connection.sendall(3 * one + b"nonsense")
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert (answer.count(b"HTTP/1.1 200"), answer.count(b"HTTP/1.1 400")) == (3, 1)


def test_a_head_that_never_ends__is_refused_and_counted_and_hurts_nobody(shop: Shop) -> None:
    shop.open(flag("a"))
    before = shop.evaluator.metric("requests_total", route="connection", status="431")
    status, headers, answer = shop.send(shop.head_of(FLAGS)[:-2] + b"X: " + b"a" * 100_000)
    assert (status, headers["connection"]) == (431, "close")
    assert "16384" in answer["errorDetails"]
    assert shop.evaluator.metric("requests_total", route="connection", status="431") == before + 1
    assert shop.value("a") is True


def test_upgrade__where_the_body_comes_later__is_answered_as_if_it_were_not_there(
    shop: Shop,
) -> None:
    shop.open(flag("a"))
    head = shop.head_of(
        f"{FLAGS}/a", "Content-Length: 14", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings"
    )
    with socket.create_connection(("127.0.0.1", shop.evaluator.port), timeout=5) as connection:
        connection.sendall(head)
        wait_until(lambda: shop.value("a") is True)  # so that the head was read alone
        connection.sendall(b'{"context":{}}')
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
