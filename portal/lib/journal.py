"""Recording what happened: the one door through which every write reaches the audit trail.

Packages below the audit trail (access) write through this port too; ``portal.audit`` registers
the recorder when Django starts. A write without a recorder fails, and with it the change: nothing
happens that is not recorded.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class ActorKind(StrEnum):
    """Who can do something."""

    USER = "user"
    KEY = "key"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a change came from; empty outside a request."""

    request_id: str = ""
    ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it. ``id`` is the primary key of the user or API key; ``label`` is for people."""

    kind: ActorKind
    id: str
    label: str
    trace: Trace = field(default_factory=Trace)


def system(label: str) -> Actor:
    """The product itself, or an operator typing a command on its machine."""
    return Actor(ActorKind.SYSTEM, "", label)


@dataclass(frozen=True, slots=True)
class Agreed:
    """Who wanted what an actor carries out, and who agreed to it, by which change request.

    All names are labels. Nobody asked but the actor where ``requested_by`` is empty.
    """

    change_request: int | None = None
    requested_by: str = ""
    approved_by: tuple[str, ...] = ()


ALONE = Agreed()


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, as the audit trail keeps it.

    ``event`` is ``subject.verb`` (``flag.enabled``). ``before`` and ``after`` are JSON documents
    of what changed; None where there was, or is, nothing. ``version`` is that of the environment.
    ``part_of`` is what the subject is about, where its history is to tell of this as well.
    """

    event: str
    actor: Actor
    subject_kind: str
    subject: str
    project: str = ""
    environment: str = ""
    version: int | None = None
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None
    reason: str = ""
    agreed: Agreed = ALONE
    part_of_kind: str = ""
    part_of: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What an entry is about: its kind and name, where it is, and what it is part of."""

    kind: str
    name: str
    project: str = ""
    environment: str = ""
    version: int | None = None
    part_of_kind: str = ""
    part_of: str = ""


class Told(Protocol):
    """A row that the history tells of."""

    @property
    def recorded_as(self) -> About: ...


class JournalMissing(RuntimeError):
    """No recorder is registered, so nothing may be changed."""


Recorder = Callable[[Iterable[Entry]], None]
_recorder: Recorder | None = None


def register(recorder: Recorder) -> None:
    """Make ``recorder`` the one that keeps entries."""
    global _recorder  # one per process, set once at start-up
    _recorder = recorder


def entry(
    event: str,
    of: Told | About,
    actor: Actor,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
    agreed: Agreed = ALONE,
) -> Entry:
    """The entry of something that happened to a row."""
    about = of if isinstance(of, About) else of.recorded_as
    return Entry(
        event=event,
        actor=actor,
        subject_kind=about.kind,
        subject=about.name,
        project=about.project,
        environment=about.environment,
        version=about.version,
        before=before,
        after=after,
        reason=reason.strip(),
        agreed=agreed,
        part_of_kind=about.part_of_kind,
        part_of=about.part_of,
    )


def write(entry: Entry) -> None:
    """Keep ``entry`` in the caller's transaction. Whatever it raises must undo the change."""
    write_all([entry])


def write_all(entries: Iterable[Entry]) -> None:
    """Keep many entries, in this order; see write."""
    if _recorder is None:
        raise JournalMissing("the audit trail is not running; is portal.audit installed?")
    _recorder(entries)
