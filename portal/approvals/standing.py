"""Whether a change has what its policies want. Pure: rows in, decision with its reasons out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from portal.approvals.independence import NO_TIES, Ties


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
    """What one environment wants: how many people, which roles between them, which evidence."""

    approvals: int
    roles: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ballot:
    """One person who agreed, and the roles and groups they hold there now."""

    voter: int
    names: frozenset[str]


@dataclass(frozen=True)
class Standing:
    approvals: int
    missing_approvals: int
    missing_roles: tuple[str, ...]
    evidence: Mapping[str, EvidenceState]
    counted: frozenset[int] = frozenset()

    @cached_property
    def missing_evidence(self) -> dict[str, EvidenceState]:
        """The kinds of evidence that are not passed, and what they are instead."""
        return {k: state for k, state in self.evidence.items() if state != EvidenceState.PASSED}

    @cached_property
    def is_satisfied(self) -> bool:
        return not (self.missing_approvals or self.missing_roles or self.missing_evidence)


def assess(
    requirement: Requirement,
    ballots: Iterable[Ballot],
    evidence: Mapping[str, EvidenceState],
    *,
    ties: Ties = NO_TIES,
    askers: Collection[int] = (),
) -> Standing:
    """How far a change has come: the voters must be enough, and cover the roles between them.

    ``askers`` asked for it or edited it: who counts as one person with one of them, or with
    another voter, does not count.
    """
    counted = {ballot.voter: ballot.names for ballot in choose(requirement, ballots, ties, askers)}
    covered = frozenset[str]().union(*counted.values())
    return Standing(
        approvals=len(counted),
        missing_approvals=max(0, requirement.approvals - len(counted)),
        missing_roles=tuple(sorted(requirement.roles - covered)),
        evidence={
            kind: evidence.get(kind, EvidenceState.MISSING) for kind in sorted(requirement.evidence)
        },
        counted=frozenset(counted),
    )


def choose(
    requirement: Requirement, ballots: Iterable[Ballot], ties: Ties, askers: Collection[int]
) -> list[Ballot]:
    """The ballots that count: of those who count as one, the one that brings a missing role.

    After that the one who goes back to the fewest others, and then the first.
    """
    left, chosen = list(ballots), list[Ballot]()
    taken = frozenset[int]().union(*(ties.behind(asker) for asker in askers))
    missing = set(requirement.roles)
    while left := [one for one in left if ties.behind(one.voter).isdisjoint(taken)]:
        best = min(left, key=lambda one: (not missing & one.names, len(ties.behind(one.voter))))
        chosen.append(best)
        taken |= ties.behind(best.voter)
        missing -= best.names
    return chosen
