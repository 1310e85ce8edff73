"""Who carries out which kind of change. Those above register; approvals know none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from portal.approvals.changes import Terms
from portal.approvals.models import ChangeRequest
from portal.lib.journal import Actor


@dataclass(frozen=True, slots=True)
class Side:
    """A thing as it is now: its version, and its document."""

    version: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dependant:
    """Something that refers to the subject of a request: its name, its page, and where it does."""

    title: str
    address: str
    where: str


class Kind(Protocol):
    """What can be asked of one kind of change."""

    def apply(
        self,
        request: ChangeRequest,
        *,
        document: Mapping[str, Any],
        base_version: str,
        actor: Actor,
        now: datetime,
        reason: str,
        terms: Terms,
    ) -> None:
        """Make the subject what ``document`` says, through the service that everybody uses.

        Raises Conflict where the subject is no longer at ``base_version``.
        """
        ...

    def current(self, request: ChangeRequest) -> Side:
        """The subject as it is now."""
        ...

    def address(self, request: ChangeRequest) -> str:
        """The page of the subject."""
        ...

    def edit_address(self, request: ChangeRequest) -> str:
        """The page where the request's content can be edited; empty where there is none."""
        ...

    def words(self, request: ChangeRequest, before: Mapping[str, Any]) -> list[str]:
        """What the request would change from ``before``, one sentence each."""
        ...


@runtime_checkable
class HasDependants(Protocol):
    """A kind of change whose subject others refer to."""

    def dependants(self, request: ChangeRequest) -> list[Dependant]:
        """What refers to the subject now."""
        ...


_kinds: dict[str, Kind] = {}


def register(name: str, kind: Kind) -> None:
    """Make ``kind`` the one that carries out changes of that name."""
    _kinds[name] = kind


def kind_of(request: ChangeRequest) -> Kind:
    """Who carries out what a request asks for."""
    return _kinds[request.kind]


def dependants_of(request: ChangeRequest) -> list[Dependant]:
    """What refers to the subject of a request, where its kind can tell."""
    kind = kind_of(request)
    return kind.dependants(request) if isinstance(kind, HasDependants) else []
