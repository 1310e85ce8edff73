"""How many errors come at a time: what bursts and instances add to the variance of chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from releases.engine.judge.arms import Arm

# The bound's normal quantile: dispersion is not more than what is taken in nine of ten releases.
_NINETY_PERCENT: Final = 1.2816


@dataclass(slots=True)
class Spread:
    """Chi-square of the canary's errors, given all errors, over blocks of so many strata with
    errors, as sums that hold for any ratio of the rates.

    With a = e_c n_b / n, b = e_b n_c / n and v = m n_c n_b / n^2, each added over a block, a - r b
    is 0 on average at ratio r and has the variance r v. In blocks of one stratum this is
    (e_c - m q)^2 / (m q (1 - q)), q = r n_c / (r n_c + n_b).
    """

    size: int = 1
    blocks: int = 0
    squares: float = 0.0
    mixed: float = 0.0
    other_squares: float = 0.0
    # Of the block that is not full yet.
    strata: int = 0
    above: float = 0.0
    below: float = 0.0
    variance: float = 0.0

    def add(self, above: float, below: float, variance: float) -> None:
        self.strata += 1
        self.above += above
        self.below += below
        self.variance += variance
        if self.strata < self.size:
            return
        self.blocks += 1
        self.squares += self.above * self.above / self.variance
        self.mixed += self.above * self.below / self.variance
        self.other_squares += self.below * self.below / self.variance
        self.strata, self.above, self.below, self.variance = 0, 0.0, 0.0, 0.0

    def chi_square(self, ratio: float) -> float:
        return max(0.0, self.squares / ratio - 2 * self.mixed + ratio * self.other_squares)


def instance_dispersion(canary: Sequence[Arm], baseline: Sequence[Arm]) -> float | None:
    """phi >= 1 of what each instance of an arm answered in all, as an upper bound; None where no
    arm has two.

    Instances that differ for good, or for minutes, differ in no bucket by themselves, and so the
    dispersion over buckets does not see them.
    """
    chi_square, freedom = 0.0, 0
    for arm in (canary, baseline):
        served = [one for one in arm if one.requests > 0]
        rate = sum(one.errors for one in served) / max(1, sum(one.requests for one in served))
        freedom += max(0, len(served) - 1)
        if rate:
            chi_square += sum(
                (one.errors - rate * one.requests) ** 2 / (rate * one.requests) for one in served
            )
    return max(1.0, upper_bound(chi_square, freedom)) if freedom else None


def upper_bound(chi_square: float, freedom: int) -> float:
    """The dispersion that such a chi-square stays below in one of ten cases: what is estimated from
    few is not trusted (quantile by Wilson and Hilferty, 1931)."""
    ninth = 2 / (9 * freedom)
    return chi_square / (freedom * (1 - ninth - _NINETY_PERCENT * math.sqrt(ninth)) ** 3)
