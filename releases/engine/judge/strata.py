"""Canary against baseline, stratum by stratum, as sums that are kept: no stratum is read twice."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from releases.engine.judge.arms import Stratum
from releases.engine.judge.dispersion import Spread, upper_bound

GRID: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""How many times as many errors: what the evidence weighs against none more, equally."""
MOST_EVIDENCE: Final = 1e100
"""Evidence is no more than this, so that it is always a number."""
DEFAULT_DISPERSION: Final = 5.0
"""Where nobody knows better, errors are taken to come five at a time."""
LEAST_STRATA: Final = 10
MINUTE: Final = 6
N_STAR: Final = 5000


@dataclass(frozen=True, slots=True)
class Difference:
    """Errors per request (0..1) of the canary less the baseline's, at every time at once.

    One-sided: ``upper`` is None, and the difference is at least ``lower``.
    """

    estimate: float
    halfwidth: float
    lower: float
    upper: float | None = None


@dataclass(slots=True)
class Evidence:
    """What all strata of a release say, in sums. Those where an arm has no requests say nothing.

    ``likelihoods``: ln of the likelihood ratio at each point of the grid. The rest are the sums of
    the formulas below, by their names there.
    """

    likelihoods: list[float] = field(default_factory=lambda: [0.0] * len(GRID))
    canary_requests: int = 0
    canary_errors: int = 0
    baseline_requests: int = 0
    baseline_errors: int = 0
    # Mantel and Haenszel: of the ratio, and of the difference with the weight of its strata.
    above: float = 0.0
    below: float = 0.0
    weight: float = 0.0
    # Sato's variance of the difference.
    p: float = 0.0
    q: float = 0.0
    spread: Spread = field(default_factory=Spread)
    minutes: Spread = field(default_factory=lambda: Spread(MINUTE))

    def add(self, stratum: Stratum) -> None:
        n_c, n_b = stratum.canary.requests, stratum.baseline.requests
        if n_c <= 0 or n_b <= 0:
            return
        e_c, e_b = min(stratum.canary.errors, n_c), min(stratum.baseline.errors, n_b)
        n, m = n_c + n_b, e_c + e_b
        self.canary_requests += n_c
        self.baseline_requests += n_b
        self.weight += n_c * n_b / n
        self.p += n_c * n_b * ((n_b - n_c) / n) / (2 * n)
        if not m:
            return
        self.canary_errors += e_c
        self.baseline_errors += e_b
        above, below = e_c * n_b / n, e_b * n_c / n
        self.above += above
        self.below += below
        self.p += e_b * (n_c / n) ** 2 - e_c * (n_b / n) ** 2
        self.q += (e_c * ((n_b - e_b) / n) + e_b * ((n_c - e_c) / n)) / 2
        self._weigh(n_c / n, e_c, m)
        for spread in (self.spread, self.minutes):
            spread.add(above, below, m * (n_c / n) * (n_b / n))

    def _weigh(self, share: float, canary_errors: int, errors: int) -> None:
        """Given an error, it is the canary's with probability ``share``, or, at r times as many,
        r * share / (1 + (r - 1) * share)."""
        for at, (times, ln_times) in enumerate(_LN_GRID):
            more = math.log1p((times - 1) * share)
            self.likelihoods[at] += canary_errors * ln_times - errors * more

    def value(self, phi: float = 1.0) -> float:
        """E: mean over the grid of exp(L / phi), MOST_EVIDENCE at most. Fires at 1 / alpha."""
        most = max(self.likelihoods) / phi
        if most >= _LN_MOST:
            return MOST_EVIDENCE
        return math.fsum(math.exp(one / phi) for one in self.likelihoods) / len(GRID)

    def dispersion(self, *, last: float | None = None) -> float:
        """phi >= 1: how many errors come at a time, measured against the ratio that was found, so
        that neither drift nor a real difference counts.

        Chi-square over its degrees of freedom, as an upper bound over strata, and as it is over
        ten minutes of strata or more. Fewer than ten strata with errors, or an arm without errors:
        the service's ``last``, else five.
        """
        is_known = (
            self.spread.blocks >= LEAST_STRATA and self.canary_errors and self.baseline_errors
        )
        if not is_known:
            return max(1.0, DEFAULT_DISPERSION if last is None else last)
        found, ratio = [1.0], self.above / self.below
        found.append(upper_bound(self.spread.chi_square(ratio), self.spread.blocks - 1))
        if self.minutes.blocks >= LEAST_STRATA:
            found.append(self.minutes.chi_square(ratio) / (self.minutes.blocks - 1))
        return max(found)

    def difference(self, *, alpha: float, phi: float = 1.0, n_star: int = N_STAR) -> Difference:
        """Mantel and Haenszel's difference with its lower bound, which holds at all times at once
        but for a share alpha of releases (asymptotic confidence sequence of Waudby-Smith et al.,
        one-sided; shortest at ``n_star`` requests of both arms).

        The variance is Sato's (1989), right for few large strata and for many small ones, and never
        less than if one request of all had failed.
        """
        n = self.canary_requests + self.baseline_requests
        if not self.weight:
            return Difference(0.0, 1.0, -1.0)
        estimate = (self.above - self.below) / self.weight
        least = (1 - 1 / n) / n * (1 / self.canary_requests + 1 / self.baseline_requests)
        variance = max(least, (estimate * self.p + self.q) / self.weight**2)
        halfwidth = math.sqrt(variance * phi) * _radius(n, alpha, n_star)
        return Difference(estimate, halfwidth, max(-1.0, estimate - halfwidth))

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        return asdict(self)

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> "Evidence":
        """From its document. Raises ValueError where it is of another grid."""
        likelihoods = [float(one) for one in document.get("likelihoods", [0.0] * len(GRID))]
        if len(likelihoods) != len(GRID):
            raise ValueError(f"evidence has {len(GRID)} likelihoods")
        spread, minutes = Spread(**document["spread"]), Spread(**document["minutes"])
        parts = {"likelihoods": likelihoods, "spread": spread, "minutes": minutes}
        return cls(**{**document, **parts})


_LN_GRID: Final = tuple((times, math.log(times)) for times in GRID)
_LN_MOST: Final = math.log(MOST_EVIDENCE)


def _radius(n: int, alpha: float, n_star: int) -> float:
    """Standard errors to either side: sqrt(2 (n rho^2 + 1) / (n rho^2) ln(1 + sqrt(n rho^2 + 1) /
    (2 alpha))), rho^2 = (-2 ln 2 alpha + ln(1 - 2 ln 2 alpha)) / n_star; alpha below 1/2."""
    ln_alpha = -2 * math.log(2 * alpha)
    x = n * (ln_alpha + math.log1p(ln_alpha)) / n_star
    return math.sqrt(2 * (x + 1) / x * math.log1p(math.sqrt(x + 1) / (2 * alpha)))


def collect(strata: Iterable[Stratum]) -> Evidence:
    found = Evidence()
    for stratum in strata:
        found.add(stratum)
    return found


def evidence(strata: Sequence[Stratum], *, phi: float = 1.0) -> float:
    """E of these strata: see ``Evidence.value``."""
    return collect(strata).value(phi)


def dispersion(strata: Sequence[Stratum], *, last: float | None = None) -> float:
    """phi of these strata: see ``Evidence.dispersion``. ``last``: the service's last."""
    return collect(strata).dispersion(last=last)


def difference(
    strata: Sequence[Stratum], *, alpha: float, phi: float = 1.0, n_star: int = N_STAR
) -> Difference:
    """Of these strata: see ``Evidence.difference``."""
    return collect(strata).difference(alpha=alpha, phi=phi, n_star=n_star)
