"""The servers of a haproxy's backend: their states and weights, and taking one out and back in.

Draining a server ends when ``sessions`` says 0: haproxy then sends it nothing new, but for who
sticks to it by a cookie of haproxy's; ``maint`` ends those too. Everything here raises HaproxyError
with a sentence that names the haproxy.
"""

import csv
from dataclasses import dataclass
from typing import Final

from django.utils.translation import gettext as _

from releases.routers.haproxy_socket import Haproxy, HaproxyError

# Bits of srv_admin_state: in maintenance by command, inherited, by configuration, for want of an
# address or of a name; drained by command or inherited.
_MAINT: Final = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
_DRAINED: Final = 0x08 | 0x10
_COLUMNS: Final = ("srv_name", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight")
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
    command = f"show servers state {backend}"
    said = haproxy.read(command)
    if said.startswith("Can't find backend"):
        text = _("{name} has no backend {backend}.")
        raise HaproxyError(text.format(name=haproxy.name, backend=backend))
    version, header, *rows = [*said.splitlines(), ""][:-1] or ["", ""]
    names = header.removeprefix("# ").split(" ")
    if version != "1" or not set(_COLUMNS) <= set(names):
        raise haproxy.wrong(command)
    try:
        found = [dict(zip(names, row.split(" "), strict=True)) for row in rows]
        return {one["srv_name"]: _state(one) for one in found}
    except ValueError:
        raise haproxy.wrong(command) from None


def _state(row: dict[str, str]) -> ServerState:
    name, operational, admin, weight, initial = (row[column] for column in _COLUMNS)
    bits = int(admin)
    state = "maint" if bits & _MAINT else "drain" if bits & _DRAINED else "ready"
    return ServerState(name, int(weight), int(initial), state, int(operational) == 2)


def sessions(haproxy: Haproxy, backend: str, server: str) -> int:
    """How many requests it answers just now."""
    command = f"show stat {backend} 4 -1"
    said = haproxy.read(command)
    if said.startswith("No such"):
        text = _("{name} has no backend {backend}.")
        raise HaproxyError(text.format(name=haproxy.name, backend=backend))
    rows = csv.DictReader(said.removeprefix("# ").splitlines())
    if not {"svname", "scur"} <= set(rows.fieldnames or ()):
        raise haproxy.wrong(command)
    found = {row["svname"]: row["scur"] for row in rows if row["svname"]}
    if server not in found:
        text = _("{name} has no server {server} in {backend}.")
        raise HaproxyError(text.format(name=haproxy.name, server=server, backend=backend))
    if not (found[server] or "").isdecimal():
        raise haproxy.wrong(command)
    return int(found[server])


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
    if server not in found:
        text = _("{name} has no server {server} in {backend}.")
        raise HaproxyError(text.format(name=haproxy.name, server=server, backend=backend))
    return found[server]
