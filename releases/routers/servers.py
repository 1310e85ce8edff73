"""The instances of a service as its router knows them: taken out of service, and put back.

haproxy does, where its setup names a backend: its servers are the instances, by name. Several
haproxys have to agree.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from releases.routers import haproxy_servers
from releases.routers.haproxy_socket import Haproxy, HaproxyError

Router = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Instance:
    """``is_ready`` says whether it may get new users, ``is_kept_out`` whether people keep it from
    that, ``is_up`` whether its checks pass, and ``sessions`` how much it answers just now."""

    is_ready: bool
    is_kept_out: bool
    is_up: bool
    sessions: int

    @property
    def serves(self) -> bool:
        return self.is_ready and self.is_up


def are_known(router: Router) -> bool:
    """Whether a router tells instances apart; of others the deployer drains what it replaces."""
    return router["kind"] == "haproxy" and "backend" in router


def states(router: Router, names: Collection[str] = ()) -> dict[str, Instance]:
    """All of them, with the sessions of those that are named. Raises HaproxyError."""
    found: dict[str, Instance] = {}
    for haproxy, backend in _each(router):
        for name, one in haproxy_servers.servers(haproxy, backend).items():
            open_ones = 0
            if name in names:
                open_ones = haproxy_servers.sessions(haproxy, backend, name)
            seen = Instance(one.admin == "ready", one.admin == "maint", one.is_up, open_ones)
            found[name] = _together(found.get(name), seen)
    return found


def _together(one: Instance | None, other: Instance) -> Instance:
    if one is None:
        return other
    return Instance(
        one.is_ready and other.is_ready,
        one.is_kept_out or other.is_kept_out,
        one.is_up and other.is_up,
        one.sessions + other.sessions,
    )


def drain(router: Router, names: Collection[str]) -> None:
    """Send them nobody new. Those in maintenance stay there. Raises HaproxyError."""
    for haproxy, backend in _each(router):
        for name in names:
            haproxy_servers.drain(haproxy, backend, name)


def ready(router: Router, names: Collection[str]) -> None:
    """Put back what a release has drained. Raises HaproxyError, also where people keep one out:
    nothing turns on what a person turned off."""
    found = states(router)
    kept = [name for name in names if name in found and found[name].is_kept_out]
    if kept:
        text = _("{names} were put into maintenance by hand. Take them out of it to continue.")
        raise HaproxyError(text.format(names=", ".join(kept)))
    for haproxy, backend in _each(router):
        for name in names:
            haproxy_servers.ready(haproxy, backend, name)


def _each(router: Router) -> list[tuple[Haproxy, str]]:
    return [(Haproxy(name), router["backend"]) for name in router["haproxy"]]
