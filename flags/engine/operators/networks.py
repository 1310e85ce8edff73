"""``in_cidr``: whether an IP address lies in one of several networks.

An IPv4 address written as an IPv6 one, ``::ffff:10.0.0.1``, is that IPv4 address, and likewise
for networks; so ``::/0`` is all of IPv6 and nothing of IPv4.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

import re2

from flags.engine.limits import (
    MAX_CONDITION_TEXT_CHARS,
    MAX_CONDITION_VALUES,
    MAX_MATCHED_CHARS,
    MAX_PATTERN_BYTES,
    MAX_PATTERNS,
)
from flags.engine.operators.base import Build, Cost, Predicate, Values, cost_of_reading
from portal.lib.documents import list_of, quote, refuse, text

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# The longest address, mapped and with a prefix length, has 49.
_MAX_CHARS: Final = 50
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


def in_cidr(values: Values) -> Predicate:
    networks = [_unmap(ipaddress.ip_network(str(value))) for value in values]
    contains = {version: _within(networks, version) for version in (4, 6)}

    def is_within(value: object) -> bool:
        address = _parse_address(value)
        return address is not None and contains[address.version](int(address))

    return is_within


def _within(networks: Iterable[_Network], version: int) -> Callable[[int], bool]:
    same = [network for network in networks if network.version == version]
    ranges: list[_Network] = list(ipaddress.collapse_addresses(same))  # type: ignore[type-var]
    starts = [int(network.network_address) for network in ranges]
    ends = [int(network.broadcast_address) for network in ranges]

    def is_within(address: int) -> bool:
        place = bisect_right(starts, address) - 1
        return place >= 0 and address <= ends[place]

    return is_within


def _unmap(network: _Network) -> _Network:
    if not isinstance(network, ipaddress.IPv6Network) or not network.subnet_of(_MAPPED):
        return network
    start = int(network.network_address) & 0xFFFF_FFFF
    return ipaddress.IPv4Network((start, network.prefixlen - 96))


def _parse_address(value: object) -> _Address | None:
    if not isinstance(value, str) or len(value) > _MAX_CHARS or "%" in value:
        return None
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _read_network(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_CHARS:
        refuse("Give a network as a text, such as 10.0.0.0/8 or 2001:db8::/32.")
    address, slash, length = value.partition("/")
    # Without the check, /255.0.0.0 would do too, and %eth0 name a zone that no address has.
    is_plain = "%" not in address and (not slash or (length.isascii() and length.isdigit()))
    try:
        network = ipaddress.ip_network(value, strict=False) if is_plain else None
    except ValueError:
        network = None
    if network is None:
        refuse("Give a network such as 10.0.0.0/8 or 2001:db8::/32, or an address.")
    if ipaddress.ip_address(address) != network.network_address:
        refuse(f"This address has bits behind /{length}; for the network write {network}.")
    return value


cost_of_networks: Final = cost_of_reading(_MAX_CHARS, 100)
read_networks = list_of(_read_network, least=1, most=MAX_CONDITION_VALUES)


# ``matches``: RE2 patterns, searched for anywhere in a text unless the pattern is anchored. RE2
# takes time linear in the text whatever the pattern; the text's length is bounded too.


def _compile(pattern: str, *, ignore_case: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MAX_PATTERN_BYTES
    options.case_sensitive = not ignore_case
    return re2.compile(pattern, options)


def _matching(*, ignore_case: bool) -> Build:
    def build(values: Values) -> Predicate:
        # One by one: joined with "|", an unclosed \Q of one would swallow those behind it.
        searches = [_compile(str(value), ignore_case=ignore_case).search for value in values]

        def matches(value: object) -> bool:
            encoded = _encode(value)
            return encoded is not None and any(search(encoded) for search in searches)

        return matches

    return build


def cost_of_matches(values: Values) -> Cost:
    """RE2 usually takes a step per character, but one per instruction where it has to."""
    size: int = sum(_compile(str(v), ignore_case=False).programsize for v in values)

    def cost(value: object) -> int:
        if not isinstance(value, str) or len(value) > MAX_MATCHED_CHARS:
            return 0
        return len(value) * size >> 5

    return cost


def _encode(value: object) -> bytes | None:
    if not isinstance(value, str) or len(value) > MAX_MATCHED_CHARS:
        return None
    try:
        return value.encode()
    except UnicodeEncodeError:
        return None


matches: Final = _matching(ignore_case=False)
matches_folded: Final = _matching(ignore_case=True)

_read_text = text(MAX_CONDITION_TEXT_CHARS, least=1)


def _read_pattern(value: object) -> str:
    pattern = _read_text(value)
    try:
        # Both ways, for ignoring case may be what makes a pattern too large.
        _compile(pattern, ignore_case=False)
        _compile(pattern, ignore_case=True)
    except re2.error as error:
        refuse(f"RE2 cannot use this pattern: {_explain(error)}.")
    return pattern


def _explain(error: Exception) -> str:
    (reason,) = error.args
    return quote(reason.decode(errors="replace") if isinstance(reason, bytes) else reason, 200)


read_patterns = list_of(_read_pattern, least=1, most=MAX_PATTERNS)
