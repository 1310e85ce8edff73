"""Whether two people are two people. Pure: who gave whom what, and whose word stands against it.

Somebody who was given the account, a vote, or a new password by somebody else may be them. So may
two who were given it by the same person, and whoever was given it by one who was given it: all of
these go back to one *origin*. Two people count as one where they have a person in common among
themselves and those they go back to. Two who both gave something to a third are not one: nobody
gave either of them anything.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Tie:
    """``giver`` gave ``receiver`` something at that time; ``row`` is its number in the database."""

    giver: int
    receiver: int
    at: datetime
    row: int = 0


@dataclass(frozen=True, slots=True)
class Confirmation:
    """``by`` said at that time that ``person`` is a person of their own."""

    person: int
    by: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Ties:
    """Who gave whom what, as far as it counts now; ``window`` is for how long it does."""

    ties: tuple[Tie, ...] = ()
    window: timedelta = timedelta()
    given: Mapping[int, tuple[Tie, ...]] = field(init=False)

    def __post_init__(self) -> None:
        given: dict[int, tuple[Tie, ...]] = {}
        for tie in self.ties:
            given[tie.receiver] = (*given.get(tie.receiver, ()), tie)
        object.__setattr__(self, "given", given)

    def behind(self, person: int) -> frozenset[int]:
        """Somebody, and everybody from whom what they were given goes back to."""
        found, new = {person}, [person]
        while new:
            givers = {tie.giver for tie in self.given.get(new.pop(), ())} - found
            found |= givers
            new += givers
        return frozenset(found)

    def are_one(self, one: int, other: int) -> bool:
        return not self.behind(one).isdisjoint(self.behind(other))

    def why_one(self, one: int, other: int) -> list[Tie]:
        """The ties by which two people go back to the same person; empty where they do not."""
        common = self.behind(one) & self.behind(other)
        paths = [[*self._path(top, one), *self._path(top, other)] for top in sorted(common)]
        return min(paths, key=len, default=[])

    def two_from(self, one: int, other: int) -> datetime | None:
        """When two people who count as one do not any more; None where they are two now."""
        left, ended = self, None
        for tie in sorted(self.ties, key=lambda tie: tie.at):
            if not left.are_one(one, other):
                break
            left = Ties(tuple(each for each in left.ties if each.at > tie.at), self.window)
            ended = tie.at + self.window
        return ended

    def confirmed(self, words: Iterable[Confirmation], *, outside: Collection[int]) -> "Ties":
        """Without what was given to people whom somebody else has confirmed since.

        The word of those in ``outside`` of whom it must come does not count, nor that of somebody
        who goes back to the same person as the one whom they confirm.
        """
        good = [
            word
            for word in words
            if word.by not in outside and not self.are_one(word.by, word.person)
        ]
        kept = tuple(
            tie
            for tie in self.ties
            if not any(word.person == tie.receiver and word.at >= tie.at for word in good)
        )
        return Ties(kept, self.window)

    def _path(self, top: int, person: int) -> list[Tie]:
        """The shortest way from somebody to whom they gave something, through others."""
        paths: list[tuple[int, list[Tie]]] = [(person, [])]
        seen = {person}
        for who, path in paths:  # grows as it is walked
            if who == top:
                return path
            for tie in self.given.get(who, ()):
                if tie.giver not in seen:
                    seen.add(tie.giver)
                    paths.append((tie.giver, [tie, *path]))
        return []


NO_TIES = Ties()
