"""Of a release as a whole: shares of alpha, users per arm, how many requests are needed."""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Final

from releases.engine.judge.strata import DEFAULT_DISPERSION, GRID

PRIOR: Final = 100.0
MOST_LN: Final = 1e12
"""The logarithm of a Bayes factor is no more than this, so that it is always a number."""


def alpha_of(weights: Mapping[str, float], alpha: float = 0.05) -> dict[str, float]:
    """The share of alpha that each check has. Raises ValueError for weights that are not above 0.

    Not divided by steps, for evidence goes on over them.
    """
    total = math.fsum(weights.values())
    if any(not (weight > 0 and math.isfinite(weight)) for weight in weights.values()):
        raise ValueError("weights are above 0")
    return {key: alpha * weight / total for key, weight in weights.items()}


def sample_ratio(steps: Sequence[tuple[Sequence[int], Sequence[float]]]) -> float:
    """ln of the Bayes factor against the expected shares; steps add, and it fires at ln(1 / alpha).

    A step is the first exposures in each arm, and each arm's share, which add up to 1 or are scaled
    to. Dirichlet-multinomial with a prior of 100 users at those shares (Lindon and Malek 2022).
    Where an arm should have nobody and has, it is MOST_LN.
    """
    found = math.fsum(_step_ratio(counts, shares) for counts, shares in steps)
    return max(-MOST_LN, min(found, MOST_LN))


def _step_ratio(counts: Sequence[int], shares: Sequence[float]) -> float:
    total = math.fsum(shares)
    if any(count and not share for count, share in zip(counts, shares, strict=True)):
        return MOST_LN
    found = math.lgamma(PRIOR) - math.lgamma(PRIOR + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        if count:
            prior, theta = PRIOR * share / total, share / total
            found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(theta)
    return found


def needed(
    *,
    rate: float,
    alpha: float,
    phi: float = DEFAULT_DISPERSION,
    effect: float = 2.0,
    canary_share: float = 0.5,
    power: float = 0.8,
    seen: int = 0,
) -> int | None:
    """Requests of both arms that are still wanted until a version with ``effect`` times as many
    errors would have been found with probability ``power``; None where it never would.

    ``rate`` is the baseline's share of errors, ``canary_share`` the canary's of the requests of
    both arms, ``seen`` the requests of both so far. L at a point r of the grid is a sum over errors
    with mean mu and variance s^2: it has passed phi ln(points / alpha) where m mu - z s sqrt(m phi)
    has, at m errors.
    """
    if not (rate > 0 and effect > 1 and 0 < canary_share < 1):
        return None
    canary_rate = min(1.0, rate * effect)
    of_canary, of_baseline = canary_rate * canary_share, min(1.0, rate) * (1 - canary_share)
    odds = of_canary / (of_canary + of_baseline)
    bound = phi * math.log(len(GRID) / alpha)
    errors = [_errors_to(times, odds, canary_share, bound, phi, power) for times in GRID]
    least = min(errors) / (of_canary + of_baseline)
    return max(0, math.ceil(least) - seen) if math.isfinite(least) else None


def _errors_to(
    times: float, odds: float, canary_share: float, bound: float, phi: float, power: float
) -> float:
    mean = odds * math.log(times) - math.log1p((times - 1) * canary_share)
    if mean <= 0:
        return math.inf
    wide = NormalDist().inv_cdf(power) * math.log(times) * math.sqrt(odds * (1 - odds) * phi)
    root = (wide + math.sqrt(wide * wide + 4 * mean * bound)) / (2 * mean)
    return root * root
