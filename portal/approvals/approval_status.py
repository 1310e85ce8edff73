"""Whether a change has what its policies want. Pure: rows in, decision with its reasons out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property


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


class EvidenceState(StrEnum):
    """What is known of one kind of evidence. Missing is not passed, and neither is expired."""

    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"
    MISSING = "missing"
    # There is some, posted by a key of who asked or edited, and nobody else vouched for the key.
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Requirement:
    approvals: int
    roles: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Approval:
    voter: int
    names: frozenset[str]


@dataclass(frozen=True)
class ApprovalStatus:
    approvals: int
    missing_approvals: int
    missing_roles: tuple[str, ...]
    evidence: Mapping[str, EvidenceState]
    counted: frozenset[int] = frozenset()

    @cached_property
    def missing_evidence(self) -> dict[str, EvidenceState]:
        return {k: state for k, state in self.evidence.items() if state != EvidenceState.PASSED}

    @cached_property
    def is_satisfied(self) -> bool:
        return not (self.missing_approvals or self.missing_roles or self.missing_evidence)


def assess(
    requirement: Requirement,
    approvals: Iterable[Approval],
    evidence: Mapping[str, EvidenceState],
    *,
    ties: Ties = NO_TIES,
    askers: Collection[int] = (),
) -> ApprovalStatus:
    """How far a change has come: the voters must be enough, and cover the roles between them.

    ``askers`` asked for it or edited it: who counts as one person with one of them, or with
    another voter, does not count.
    """
    counted = {
        approval.voter: approval.names for approval in choose(requirement, approvals, ties, askers)
    }
    covered = frozenset[str]().union(*counted.values())
    return ApprovalStatus(
        approvals=len(counted),
        missing_approvals=max(0, requirement.approvals - len(counted)),
        missing_roles=tuple(sorted(requirement.roles - covered)),
        evidence={
            kind: evidence.get(kind, EvidenceState.MISSING) for kind in sorted(requirement.evidence)
        },
        counted=frozenset(counted),
    )


def choose(
    requirement: Requirement, approvals: Iterable[Approval], ties: Ties, askers: Collection[int]
) -> list[Approval]:
    """The approvals that count: of those who count as one, the one that brings a missing role.

    After that the one who goes back to the fewest others, and then the first.
    """
    left, chosen = list(approvals), list[Approval]()
    taken = frozenset[int]().union(*(ties.behind(asker) for asker in askers))
    missing = set(requirement.roles)
    while left := [one for one in left if ties.behind(one.voter).isdisjoint(taken)]:
        best = min(left, key=lambda one: (not missing & one.names, len(ties.behind(one.voter))))
        chosen.append(best)
        taken |= ties.behind(best.voter)
        missing -= best.names
    return chosen
