"""``in_cidr``: whether an IP address lies in one of several networks.

An IPv4 address written as an IPv6 one, ``::ffff:10.0.0.1``, is that IPv4 address, and likewise
for networks; so ``::/0`` is all of IPv6 and nothing of IPv4.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from flags.engine.limits import MAX_CONDITION_VALUES
from flags.engine.operators.base import Predicate, Values, cost_of_reading
from portal.lib.documents.readers import list_of, refuse

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
    """Whether an address lies in a network of this version: one search in sorted ranges."""
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
