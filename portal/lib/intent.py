"""What somebody wants when they write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from portal.lib import clock, journal
from portal.lib.journal import ALONE, About, Actor, Agreed, Entry, Told


@dataclass(frozen=True, slots=True)
class Step:
    """The next step of a plan: the kind of change that the plan is, its number, which step."""

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
        said = {"before": before, "after": after}
        return journal.entry(event, of, self.actor, **said, reason=self.reason, agreed=self.agreed)

    def record(
        self,
        event: str,
        of: Told | About,
        *,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Write that entry, in the transaction of the change."""
        journal.write(self.entry(event, of, before=before, after=after))
