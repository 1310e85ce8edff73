"""What somebody wants to write, and recording it: the one door of every write to the audit trail.

Packages below the audit trail (access) write through this port too; ``portal.audit`` registers
the recorder when Django starts. A write without a recorder fails, and with it the change: nothing
happens that is not recorded.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from portal.lib import clock


class ActorKind(StrEnum):
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
    kind: str
    name: str
    project: str = ""
    environment: str = ""
    version: int | None = None
    part_of_kind: str = ""
    part_of: str = ""


class Told(Protocol):
    @property
    def recorded_as(self) -> About: ...


class JournalMissing(RuntimeError):
    """No recorder is registered, so nothing may be changed."""


Recorder = Callable[[Iterable[Entry]], None]
_recorder: Recorder | None = None


def register(recorder: Recorder) -> None:
    global _recorder  # one per process, set once at start-up
    _recorder = recorder


def write(entry: Entry) -> None:
    """Keep ``entry`` in the caller's transaction. Whatever it raises must undo the change."""
    write_all([entry])


def write_all(entries: Iterable[Entry]) -> None:
    if _recorder is None:
        raise JournalMissing("the audit trail is not running; is portal.audit installed?")
    _recorder(entries)


@dataclass(frozen=True, slots=True)
class Step:
    kind: str
    plan: int
    number: int


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Under which terms somebody makes a change.

    ``agreement`` is the change request that allows it, ``undoing`` the emergency that it takes
    back, ``step`` what is due of a plan: none is believed, the gate checks. ``break_glass`` does it
    at once and has it reviewed afterwards. ``override_freeze`` does it in spite of a freeze, which
    takes a reason: that of the change, or ``override_reason`` where others agreed to it. Where it
    has to wait for approval, ``revise`` is the request that it replaces the content of
    (``revision`` the one of it that somebody saw), and ``apply_when_approved`` says
    whether the last approval applies it; nothing is filed where it is ``dry``: only to be told.
    """

    agreement: int | None = None
    undoing: int | None = None
    step: Step | None = None
    break_glass: bool = False
    override_freeze: bool = False
    override_reason: str = ""
    revise: int | None = None
    revision: int | None = None
    apply_when_approved: bool = True
    dry: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the actor wants the change, and does not carry out what others answer for."""
        return self.agreement is None and self.undoing is None and self.step is None


PLAIN = WriteOptions()


@dataclass(frozen=True, slots=True)
class Intent:
    """Who writes, why, under which options, and when.

    ``at`` is read from the database's clock where the write begins: all that it stores, and all
    that is asked on its way (who may, who agreed, what is frozen), is of that instant. ``agreed``
    is what the gate found of others who wanted it and agreed to it.
    """

    actor: Actor
    reason: str = ""
    options: WriteOptions = PLAIN
    at: datetime = field(default_factory=lambda: clock.database_now())
    agreed: Agreed = ALONE

    def entry(
        self,
        event: str,
        of: Told | About,
        *,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> Entry:
        """What the history keeps of this write: that this became of a row."""
        about = of if isinstance(of, About) else of.recorded_as
        return Entry(
            event=event,
            actor=self.actor,
            subject_kind=about.kind,
            subject=about.name,
            project=about.project,
            environment=about.environment,
            version=about.version,
            before=before,
            after=after,
            reason=self.reason.strip(),
            agreed=self.agreed,
            part_of_kind=about.part_of_kind,
            part_of=about.part_of,
        )

    def record(
        self,
        event: str,
        of: Told | About,
        *,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Write that entry, in the transaction of the change."""
        write(self.entry(event, of, before=before, after=after))
