"""What is counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arm:
    """What one version answered in one stratum."""

    requests: int
    errors: int


@dataclass(frozen=True, slots=True)
class Stratum:
    """One bucket of one step."""

    canary: Arm
    baseline: Arm
