"""How a service is routed by haproxy, as people write it. By a map, which tells users apart::

    {"kind": "haproxy", "haproxy": ["edge"], "places": ["blue", "green"], "baseline": "base",
     "map": "/etc/haproxy/aviary.map", "key": "shop"}

where places are backends of haproxy; or by the weights of servers of one backend, which share out
requests::

    {"kind": "haproxy", "haproxy": ["edge"], "places": ["blue", "green"], "backend": "shop",
     "servers": {"blue": ["s1", "s2"], "green": ["g1"]}}

With a backend alone it moves no traffic between versions: it takes the instances of rolling
releases, its servers, out of service and puts them back. ``haproxy`` names sockets that the site
lists in AVIARY_HAPROXY; all of them are told the same. The places take turns: one has the stable
version, the other brings the next. With a map, ``pin_s`` pins whoever begins on the stable version
to it for so many seconds.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from portal.lib.documents import (
    Problem,
    Reader,
    all_different,
    checked,
    integer,
    list_of,
    matching,
    quote,
    read_object,
    record,
    refuse,
)

MOST_HAPROXYS: Final = 8
MOST_SERVERS: Final = 100
_PLAIN: Final = "Use letters, digits and . _ : - only."
_read_name: Final = matching(re.compile(r"[A-Za-z0-9_.:-]+"), 100, _PLAIN)
_read_key: Final = matching(
    re.compile(r"[A-Za-z0-9_.:-]+"), 50, "Use letters, digits and . _ : - only, at most 50."
)
_read_path: Final = matching(
    re.compile(r"[A-Za-z0-9_./-]+"), 200, "Give the map's path as haproxy's configuration has it."
)
_read_servers: Final = all_different(list_of(_read_name, least=1, most=MOST_SERVERS))
read_pin: Final = integer(60, 86_400)
_OF_MAP: Final = ("map", "key")
_OF_WEIGHTS: Final = ("backend", "servers")


def _read_groups(value: object) -> dict[str, list[str]]:
    document = read_object(value)
    if len(document) > 3:
        refuse("Give the servers of the two places, and of the baseline where there is one.")
    for name in document:
        _read_name(name)
    return record(dict, {}, dict.fromkeys(document, _read_servers))(document)


def takes_out(router: Mapping[str, Any]) -> bool:
    """Whether it is there for the instances of rolling releases alone."""
    return set(router) - {"kind"} == {"haproxy", "backend"}


def _check_way(router: Mapping[str, Any]) -> Iterator[Problem]:
    if takes_out(router):
        return
    if "pin_s" in router and "map" not in router:
        yield Problem("pin_s", "Only a map can pin visitors; weights know none.")
    of_map, of_weights = (
        [name for name in names if name in router] for names in (_OF_MAP, _OF_WEIGHTS)
    )
    if bool(of_map) == bool(of_weights):
        yield Problem("", "Give either a map and its key, or a backend and its servers.")
        return
    names, found = (_OF_MAP, of_map) if of_map else (_OF_WEIGHTS, of_weights)
    for name in names:
        if name not in found:
            yield Problem(name, "Add this field; it is required.")


def _check_places(router: Mapping[str, Any]) -> Iterator[Problem]:
    if takes_out(router):
        return
    if "places" not in router:
        yield Problem("places", "Name the two places that take turns.")
    elif router.get("baseline") in router["places"]:
        yield Problem("baseline", "Give the baseline a place of its own.")
    elif "servers" in router:
        yield from _check_servers(router["servers"], [*router["places"], *_baseline(router)])


def _baseline(router: Mapping[str, Any]) -> list[str]:
    return [router["baseline"]] if "baseline" in router else []


def _check_servers(servers: Mapping[str, list[str]], places: list[str]) -> Iterator[Problem]:
    missing = (place for place in places if place not in servers)
    yield from (Problem(f"servers.{one}", "Say which servers these are.") for one in missing)
    taken: set[str] = set()
    for place, group in servers.items():
        if place not in places:
            message = f"There is no place {quote(place)}; places are {', '.join(places)}."
            yield Problem(f"servers.{place}", message)
        if taken & set(group):
            yield Problem(f"servers.{place}", "Name each server in one place only.")
        taken |= set(group)


read_haproxy: Final[Reader[dict[str, Any]]] = checked(
    record(
        dict,
        {
            "haproxy": all_different(list_of(_read_name, least=1, most=MOST_HAPROXYS)),
        },
        {
            "places": all_different(list_of(_read_name, least=2, most=2)),
            "map": _read_path,
            "key": _read_key,
            "backend": _read_name,
            "servers": _read_groups,
            "baseline": _read_name,
            "pin_s": read_pin,
        },
    ),
    _check_way,
    _check_places,
)


def is_shared(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two routers move the same entry of a map, or servers that both name."""
    if not set(one["haproxy"]) & set(other["haproxy"]):
        return False
    if takes_out(one) or takes_out(other):
        return one.get("backend") == other.get("backend")
    if "map" in one:
        return (one["map"], one["key"]) == (other.get("map"), other.get("key"))
    mine, theirs = (
        {server for group in router.get("servers", {}).values() for server in group}
        for router in (one, other)
    )
    return one["backend"] == other.get("backend") and bool(mine & theirs)
