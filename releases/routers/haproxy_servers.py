"""The servers of a haproxy's backend: their states and weights, and taking one out and back in.

Draining a server ends when ``sessions`` says 0: haproxy then sends it nothing new, but for who
sticks to it by a cookie of haproxy's; ``maint`` ends those too. Everything here raises HaproxyError
with a sentence that names the haproxy.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from releases.routers.haproxy_socket import Haproxy, HaproxyError

# Bits of srv_admin_state: in maintenance by command, inherited, by configuration, for want of an
# address or of a name; drained by command or inherited.
_MAINT: Final = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
_DRAINED: Final = 0x08 | 0x10
_NUMBERS: Final = ("srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight", "be_id")
_COLUMNS: Final = ("srv_name", *_NUMBERS)
MOST_WEIGHT: Final = 256


@dataclass(frozen=True, slots=True)
class ServerState:
    """``weight`` is the one now, ``initial`` the configured one; ``admin`` what people or programs
    made of it, ``ready``, ``drain`` or ``maint``; ``is_up`` what its health checks say."""

    name: str
    weight: int
    initial: int
    admin: str
    is_up: bool

    @property
    def serves(self) -> bool:
        """Whether it may get anything new, as far as people go."""
        return self.admin == "ready"


def servers(haproxy: Haproxy, backend: str) -> dict[str, ServerState]:
    """Those of a backend by name, as they are."""
    return {row["srv_name"]: _state(row) for row in _rows(haproxy, backend)}


def _rows(haproxy: Haproxy, backend: str) -> list[dict[str, str]]:
    command = f"show servers state {backend}"
    said = haproxy.read(command)
    if said.startswith("Can't find backend"):
        text = _("{name} has no backend {backend}.")
        raise HaproxyError(text.format(name=haproxy.name, backend=backend))
    version, header, *rows = [*said.splitlines(), "", ""]
    names = header.removeprefix("# ").split(" ")
    found = [dict(zip(names, row.split(" "), strict=False)) for row in rows if row]
    whole = version == "1" and set(_COLUMNS) <= set(names)
    if not whole or not all(_is_whole(row) for row in found):
        raise haproxy.wrong(command)
    return found


def _is_whole(row: Mapping[str, str]) -> bool:
    return all(row.get(one, "").isdecimal() for one in _NUMBERS) and bool(row.get("srv_name"))


def _state(row: Mapping[str, str]) -> ServerState:
    operational, admin, weight, initial, _backend = (int(row[column]) for column in _NUMBERS)
    state = "maint" if admin & _MAINT else "drain" if admin & _DRAINED else "ready"
    return ServerState(row["srv_name"], weight, initial, state, operational == 2)


def sessions(haproxy: Haproxy, backend: str, server: str) -> int:
    """How many requests it answers just now."""
    rows = {row["srv_name"]: row for row in _rows(haproxy, backend)}
    _require(haproxy, backend, server, rows)
    # By number: a frontend of the same name would be shown instead.
    command = f"show stat {rows[server]['be_id']} 4 -1"
    said = haproxy.read(command).removeprefix("# ")
    found = {row.get("svname"): row.get("scur") for row in csv.DictReader(said.splitlines())}
    if not (found.get(server) or "").isdecimal():
        raise haproxy.wrong(command)
    return int(found[server] or 0)


def drain(haproxy: Haproxy, backend: str, server: str) -> None:
    """Send it nothing new; what it answers it may finish. One in maintenance stays there."""
    if _one(haproxy, backend, server).admin == "ready":
        haproxy.tell(f"set server {backend}/{server} state drain")


def ready(haproxy: Haproxy, backend: str, server: str) -> None:
    """Have it take part again. Only whoever took it out may say so: see ``servers`` before."""
    _one(haproxy, backend, server)
    haproxy.tell(f"set server {backend}/{server} state ready")


def maint(haproxy: Haproxy, backend: str, server: str) -> None:
    """Send it nothing at all, health checks neither."""
    _one(haproxy, backend, server)
    haproxy.tell(f"set server {backend}/{server} state maint")


def end_sessions(haproxy: Haproxy, backend: str, server: str) -> None:
    """Cut off what it still answers: for what does not end by itself."""
    haproxy.tell(f"shutdown sessions server {backend}/{server}")


def _one(haproxy: Haproxy, backend: str, server: str) -> ServerState:
    found = servers(haproxy, backend)
    _require(haproxy, backend, server, found)
    return found[server]


def _require(haproxy: Haproxy, backend: str, server: str, known: Mapping[str, object]) -> None:
    if server not in known:
        text = _("{name} has no server {server} in {backend}.")
        raise HaproxyError(text.format(name=haproxy.name, server=server, backend=backend))
