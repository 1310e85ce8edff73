"""HTTP requests to addresses that somebody typed in, without becoming their way into our network.

The name is resolved once, every address it has must be a public one, and the connection goes to
what was checked: a name that points elsewhere a moment later changes nothing. Redirects are not
followed, proxies of the environment are not used, and the whole exchange has one time limit.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

TIMEOUT_S = 10.0
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
EVERYWHERE: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
LONGEST_ANSWER = 64 * 1024
# Addresses inside which an IPv4 address travels, a private one too: NAT64, Teredo, 6to4.
_WRAPPED = [ipaddress.ip_network(net) for net in ("64:ff9b::/32", "2001::/32", "2002::/16")]


class OutboundError(Exception):
    """The request was not made or not taken; the message names the host and never the path."""


class Refused(OutboundError):
    """We do not send requests there."""


class Failed(OutboundError):
    """The other side cannot be reached, or did not take it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; at most 64 KiB of it."""

    status: int
    body: bytes


def post(
    url: str,
    body: bytes,
    *,
    content_type: str,
    headers: Mapping[str, str] | None = None,
    networks: Collection[Network] = (),
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """POST and return the answer.

    Raises what ``send`` raises, and Failed for an answer with anything but 2xx (a redirect too).
    """
    sent = {**(headers or {}), "Content-Type": content_type}
    answer = send("POST", url, body, headers=sent, networks=networks, timeout_s=timeout_s)
    if not 200 <= answer.status < 300:
        host = checked_address(url).hostname
        raise Failed(f"{host} answered with status {answer.status}")
    return answer


def send(
    method: str,
    url: str,
    body: bytes = b"",
    *,
    headers: Mapping[str, str] | None = None,
    networks: Collection[Network] = (),
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Send a request and return the answer, whatever its status.

    Beside public addresses it goes to those in ``networks``. Raises Refused for an address that we
    do not send to, Failed when it cannot be reached or takes longer than ``timeout_s`` in all.
    """
    parts = checked_address(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    address = _resolve(host, port, networks)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(host, port)  # writes the Host header; connects nowhere
    until = time.monotonic() + timeout_s
    try:
        with socket.create_connection((address, port), timeout_s) as plain, _cut_off(plain, until):
            connection.sock = _secured(plain, host) if parts.scheme == "https" else plain
            connection.request(method, target, body or None, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.read(LONGEST_ANSWER))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= until:  # however the cut looked to who read
            raise Failed(f"{host} did not answer within {timeout_s:g} s") from None
        raise Failed(f"{host} cannot be reached ({type(error).__name__})") from None
    finally:
        connection.close()


def checked_address(url: str) -> SplitResult:
    """The parts of an address as it is written. Raises Refused; where it leads is not looked up."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a malformed one
    except ValueError:
        raise Refused("the address is not valid") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("the address must start with https:// or http://, and a host")
    if parts.username is not None or parts.password is not None:
        raise Refused("the address must not hold a user name or password")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise Refused("the address must be written in plain ASCII, without spaces")
    return parts


def _resolve(host: str, port: int, networks: Collection[Network]) -> str:
    """The address to connect to. All that the name has must be allowed, not only the first."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Failed(f"{host} has no address") from None
    addresses = [str(sockaddr[0]) for *_, sockaddr in found]
    if not all(_is_public(one) or _is_within(one, networks) for one in addresses):
        raise Refused(
            f"{host} lies in a private network; AVIARY_OUTBOUND_NETWORKS names those we may reach"
        )
    return addresses[0]


def _is_within(text: str, networks: Collection[Network]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return any(address in network for network in networks)


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return _is_public(str(address.ipv4_mapped))
        if any(address in network for network in _WRAPPED):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _secured(plain: socket.socket, host: str) -> socket.socket:
    """TLS with a certificate that is good for the name, whatever address we went to."""
    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)


@contextmanager
def _cut_off(connected: socket.socket, until: float) -> Iterator[None]:
    """Cut the connection when time is up: a socket's own limit starts anew with every byte.

    Raises TimeoutError then: an answer cut short may look like a whole one.
    """
    # A descriptor of our own: TLS takes the first one over.
    with connected.dup() as ours:

        def cut() -> None:
            with contextlib.suppress(OSError):  # it is gone already
                ours.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(max(0.0, until - time.monotonic()), cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
        if time.monotonic() >= until:
            raise TimeoutError
