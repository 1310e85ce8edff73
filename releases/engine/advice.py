"""The advisor: the deployment guide's matrix of strategies."""

from dataclasses import dataclass
from typing import Final

MATRIX: Final = {
    "zero_downtime_required": {
        "high_traffic": "blue_green",
        "medium_traffic": "rolling",
        "low_traffic": "canary",
    },
    "downtime_acceptable": {
        "simple_applications": "in_place",
        "complex_applications": "blue_green",
    },
    "testing_focus": {
        "user_validation": "canary",
        "feature_testing": "feature_flag",
        "performance_testing": "blue_green",
    },
}
# What there is instead of a strategy that a service cannot take, with the least to lose first.
_OTHERWISE: Final = {"blue_green": "canary", "rolling": "canary"}


@dataclass(frozen=True, slots=True)
class Advice:
    """A strategy, and the answers that it follows from. ``instead_of`` is what the matrix names,
    where that cannot be had."""

    strategy: str
    concern: str
    answer: str
    instead_of: str = ""


def advise(concern: str, answer: str, *, possible: frozenset[str]) -> Advice:
    """What the matrix says. Raises KeyError for what it does not know."""
    named = MATRIX[concern][answer]
    strategy = named if named in possible else _OTHERWISE[named]
    return Advice(strategy, concern, answer, "" if strategy == named else named)
