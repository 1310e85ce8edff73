"""Whether a change has what its policies want. Pure: rows in, decision with its reasons out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class EvidenceState(StrEnum):
    """What is known of one kind of evidence. Missing is not passed, and neither is expired."""

    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one environment wants: how many people, which roles between them, which evidence."""

    approvals: int
    roles: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ballot:
    """One person who agreed, and the roles and groups they hold there now."""

    voter: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a change has come in one environment."""

    approvals: int
    missing_approvals: int
    missing_roles: tuple[str, ...]
    evidence: Mapping[str, EvidenceState]

    @property
    def missing_evidence(self) -> dict[str, EvidenceState]:
        """The kinds of evidence that are not passed, and what they are instead."""
        return {k: state for k, state in self.evidence.items() if state != EvidenceState.PASSED}

    @property
    def is_satisfied(self) -> bool:
        return not (self.missing_approvals or self.missing_roles or self.missing_evidence)


def assess(
    requirement: Requirement,
    ballots: Iterable[Ballot],
    evidence: Mapping[str, EvidenceState],
) -> Standing:
    """How far a change has come: the voters must be enough, and cover the roles between them."""
    counted = {ballot.voter: ballot.names for ballot in ballots}
    covered = frozenset[str]().union(*counted.values())
    return Standing(
        approvals=len(counted),
        missing_approvals=max(0, requirement.approvals - len(counted)),
        missing_roles=tuple(sorted(requirement.roles - covered)),
        evidence={
            kind: evidence.get(kind, EvidenceState.MISSING) for kind in sorted(requirement.evidence)
        },
    )
