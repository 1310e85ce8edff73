"""Releases in lockstep: nobody takes step n+1 before all have finished n; one failure returns all.

A member has finished a step where it would go on but for the others; one that succeeded has
finished all, however many those were. What goes back does so from the last position to the first,
each once those behind it are back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """Where a member is; ``LANDED`` has succeeded, ``RETURNED`` is over in any other way."""

    AHEAD = "ahead"
    MOVING = "moving"
    LANDED = "landed"
    RETURNING = "returning"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Member:
    """One of a group. ``finished`` is the last step that it has finished, from 0; -1 before that.
    ``can_return`` says of one that landed whether it was still watched when the group failed."""

    position: int
    standing: Standing
    finished: int = -1
    can_return: bool = True

    def lags_behind(self, step: int) -> bool:
        """Whether others may not leave that step for it."""
        is_under_way = self.standing in (Standing.AHEAD, Standing.MOVING)
        return is_under_way and self.finished < step

    @property
    def is_settled(self) -> bool:
        """Whether nothing more becomes of it where its group goes back."""
        stays = self.standing is Standing.LANDED and not self.can_return
        return stays or self.standing is Standing.RETURNED


def first_to_return(me: Member, others: Iterable[Member]) -> list[Member]:
    """The members behind one, that it waits for before it goes back; the last one first."""
    behind = [one for one in others if one.position > me.position and not one.is_settled]
    return sorted(behind, key=lambda one: -one.position)
