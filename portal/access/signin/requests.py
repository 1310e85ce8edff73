"""Who asks, and from where."""

import ipaddress
from typing import cast

from django.http import HttpRequest

from portal.access import authority
from portal.access.models import User
from portal.lib.journal import Actor, ActorKind
from portal.lib.middleware import trace_of

NOWHERE = "0.0.0.0"  # noqa: S104 - no address to listen at
_NEIGHBOURHOOD = 64  # bits of an IPv6 address that one customer has for themselves


def person_of(request: HttpRequest) -> User:
    """The signed-in person."""
    return cast(User, request.user)


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person as an actor."""
    return authority.user_actor(person_of(request), trace_of(request))


def stranger_of(request: HttpRequest) -> Actor:
    """The actor where nobody is signed in: the sign-in page itself."""
    return Actor(ActorKind.SYSTEM, "", "sign-in", trace_of(request))


def address_of(request: HttpRequest) -> str:
    """The address of the browser, ``0.0.0.0`` where there is none (a unix socket)."""
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:
        return NOWHERE


def neighbourhood_of(request: HttpRequest) -> str:
    """What failures are counted by: the address, or the network of an IPv6 address."""
    address = ipaddress.ip_address(address_of(request))
    if address.version == 4:
        return str(address)
    network = ipaddress.ip_network((address, _NEIGHBOURHOOD), strict=False)
    return str(network.network_address)
