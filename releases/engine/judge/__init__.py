"""The judge: whether a canary is worse than its baseline, in pure functions of counts.

Strata are one bucket of one step each and are never pooled, so that a rate that drifts while the
share grows is no difference. What a release has seen is a few sums (`Evidence`), however much it
was. Vectors for other languages: tests/cases/judge.json.
"""

from releases.engine.judge.arms import Arm, Stratum
from releases.engine.judge.dispersion import instance_dispersion
from releases.engine.judge.ranks import Classification, Direction, Ranks, mann_whitney, score
from releases.engine.judge.ratio import alpha_of, needed, sample_ratio
from releases.engine.judge.strata import (
    DEFAULT_DISPERSION,
    GRID,
    MOST_EVIDENCE,
    Difference,
    Evidence,
    difference,
    dispersion,
    evidence,
)

__all__ = [
    "DEFAULT_DISPERSION",
    "GRID",
    "MOST_EVIDENCE",
    "Arm",
    "Classification",
    "Difference",
    "Direction",
    "Evidence",
    "Ranks",
    "Stratum",
    "alpha_of",
    "difference",
    "dispersion",
    "evidence",
    "instance_dispersion",
    "mann_whitney",
    "needed",
    "sample_ratio",
    "score",
]
