"""Requests to addresses that somebody typed in; the servers are real, only the resolver is ours."""

import socket
import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from portal.lib import outbound
from portal.lib.outbound import Failed, Refused
from tests.support.http_server import Server, serving

LOOPBACK = "127.0.0.1"


def send(url: str, *, private: bool = True, timeout_s: float = 5) -> outbound.Answer:
    return outbound.post(
        url,
        b"{}",
        content_type="application/json",
        networks=outbound.EVERYWHERE if private else (),
        timeout_s=timeout_s,
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What names resolve to: for each, the answers to the first, second… question."""
    answers: dict[str, list[list[str]]] = {}
    original = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: object, **options: object) -> list[object]:
        if host not in answers:
            return list(original(host, port, *args, **options))  # type: ignore[arg-type]
        addresses = answers[host].pop(0)
        found: list[object] = []
        for address in addresses:
            found += original(address, port, type=socket.SOCK_STREAM)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


def test_post__allowed_address__arrives_whole() -> None:
    with serving() as server:
        answer = send(f"{server.url}/hook?token=a%20b")
    (request,) = server.requests
    assert answer.status == 204
    assert (request.path, request.body) == ("/hook?token=a%20b", b"{}")
    assert request.headers["Host"] == f"{LOOPBACK}:{server.port}"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]", "10.1.2.3", "172.16.0.1"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00::1]", "224.0.0.1"),
        *("[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
        *("2130706433", "0x7f000001", "127.1", "[::ffff:a9fe:a9fe]", "255.255.255.255"),
    ],
)
def test_post__private_address_in_any_spelling__is_refused(host: str) -> None:
    with pytest.raises(Refused, match="private network"):
        send(f"http://{host}:9/", private=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_is_public__public_address__is(address: str) -> None:
    assert outbound._is_public(address)


def test_post__name_of_a_private_address__is_refused(
    resolver: dict[str, list[list[str]]],
) -> None:
    with serving() as server:
        resolver["hooks.example.com"] = [[LOOPBACK]]
        with pytest.raises(
            Refused, match=r"^hooks\.example\.com lies in a private network; AVIARY_OUTBOUND"
        ):
            send(f"http://hooks.example.com:{server.port}/", private=False)
    assert server.requests == []


def test_post__name_of_a_public_and_a_private_address__is_refused(
    resolver: dict[str, list[list[str]]],
) -> None:
    resolver["hooks.example.com"] = [["192.0.78.1", LOOPBACK]]
    with pytest.raises(Refused):
        send("http://hooks.example.com/", private=False)


def test_post__name_that_moves_after_the_check__is_asked_for_once(
    resolver: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the second answer would be this machine. The connection goes to the first."""
    reached: list[object] = []

    def connect(address: tuple[str, int], _timeout: float) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError

    resolver["hooks.example.com"] = [["192.0.78.1"], [LOOPBACK]]
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Failed):
        send("http://hooks.example.com/", private=False)
    assert reached == [("192.0.78.1", 80)]


def test_post__name__keeps_its_name_in_the_request(
    resolver: dict[str, list[list[str]]],
) -> None:
    with serving() as server:
        resolver["hooks.example.com"] = [[LOOPBACK]]
        send(f"http://hooks.example.com:{server.port}/")
    assert server.requests[0].headers["Host"] == f"hooks.example.com:{server.port}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_post__redirect__is_not_followed(status: int) -> None:
    with serving() as target:

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Location", target.url)
            handler.end_headers()

        with serving(redirect) as server, pytest.raises(Failed, match=f"status {status}"):
            send(server.url)
        assert target.requests == []


def test_post__proxy_in_the_environment__is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy, serving() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        send(server.url)
        assert (len(proxy.requests), len(server.requests)) == (0, 1)


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.com", "ftp://example.com/", "file:///etc/passwd", "http://"),
        *("http://user:password@example.com/", "http://example.com:99999/", "http://[::1/"),
        *("http://example.com/a b", "http://example.com/\r\nX: y", "http://exämple.com/"),
    ],
)
def test_post__no_address_we_send_to__is_refused(url: str) -> None:
    with pytest.raises(Refused):
        send(url)


def test_post__answer_that_drips__ends_at_the_time_limit() -> None:
    """Each byte comes in time; the whole does not."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(100):
                handler.wfile.write(b".")
                time.sleep(0.05)
        except OSError:
            return

    with serving(drip) as server:
        started_at = time.monotonic()
        with pytest.raises(Failed, match=r"^127\.0\.0\.1 did not answer within 0\.4 s$"):
            send(server.url, timeout_s=0.4)
        assert time.monotonic() - started_at < 2


def test_post__answer_without_end__is_read_in_part() -> None:
    def much(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"x" * 100_000)

    with serving(much) as server:
        assert len(send(server.url).body) == 64 * 1024


def test_post__nobody_listens__says_the_host_and_nothing_else(
    resolver: dict[str, list[list[str]]],
) -> None:
    with serving() as server:
        closed = server.port
    with pytest.raises(Failed, match=r"^127\.0\.0\.1 cannot be reached \(ConnectionRefusedError\)"):
        send(f"http://127.0.0.1:{closed}/secret-token")


def test_post__https_without_a_certificate__fails(server: Server) -> None:
    with pytest.raises(Failed, match="SSL"):
        send(f"https://{LOOPBACK}:{server.port}/")


def test_post__https__checks_the_name_and_not_the_address(
    resolver: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    names: list[object] = []

    def wrap(_self: ssl.SSLContext, _socket: socket.socket, server_hostname: str) -> ssl.SSLSocket:
        names.append(server_hostname)
        raise ssl.SSLError

    resolver["hooks.example.com"] = [[LOOPBACK]]
    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    with pytest.raises(Failed):
        send(f"https://hooks.example.com:{server.port}/")
    assert names == ["hooks.example.com"]
