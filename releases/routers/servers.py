"""The instances of a service as its router knows them: taken out of service, and put back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


class ServersError(Exception):
    """The router cannot be asked about its servers, or refuses; the message says why."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """``is_ready`` says whether it may get new users, ``is_up`` whether its checks pass, and
    ``sessions`` how many connections to it are open."""

    is_ready: bool
    is_up: bool
    sessions: int

    @property
    def serves(self) -> bool:
        return self.is_ready and self.is_up


def are_known(router: Mapping[str, Any]) -> bool:
    """Whether a router tells instances apart; of others the deployer drains what it replaces."""
    return False


def states(router: Mapping[str, Any]) -> dict[str, ServerState]:
    raise ServersError


def drain(router: Mapping[str, Any], names: Collection[str]) -> None:
    raise ServersError


def ready(router: Mapping[str, Any], names: Collection[str]) -> None:
    raise ServersError
