"""Comparisons of the new version with the baseline: what a release collects, and what it means.

Outcomes come in buckets of seconds. Those of a step make *strata*, in which both versions were at
the same time. Evidence multiplies over strata and steps; counts of different strata are never added
up before they are compared, for the rate of errors drifts while the share grows
(releases.engine.judge has the formulas).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from releases.engine import judge
from releases.engine.checks import TESTED, Check, Role
from releases.engine.judge import Arm, Direction, Evidence, Stratum
from releases.engine.verdicts import Judgement, Verdict

SETTLES: Final = timedelta(seconds=10)
"""How long after its end a bucket may still grow. What comes later is shown, and not compared."""
MOST_EVIDENCE: Final = 1e12
"""As it is shown."""
NOTHING: Final = Stratum(Arm(0, 0), Arm(0, 0))


def effective(check: Check, router: Mapping[str, Any]) -> Check:
    """The check with the role that it has by this router.

    Where there is no equal slice, a comparison with the rest of the traffic can only hold: users
    who stay with the stable version are others, and a difference may be theirs.
    """
    is_bounded = check.kind in TESTED and check.role is Role.GUARDRAIL
    return replace(check, role=Role.SIGNAL) if is_bounded and not router.get("baseline") else check


def alphas_of(checks: Iterable[Check], alpha: float) -> Mapping[str, float]:
    """Each comparison's part of a release's alpha. A dry run has its part as well: armed, it does
    exactly what it has shown."""
    weights = {check.key: check.weight for check in checks if check.kind in TESTED}
    return judge.alpha_of(weights, alpha) if weights else {}


def add(one: Stratum, other: Stratum) -> Stratum:
    canary, baseline = (
        Arm(a.requests + b.requests, a.errors + b.errors)
        for a, b in ((one.canary, other.canary), (one.baseline, other.baseline))
    )
    return Stratum(canary, baseline)


@dataclass(slots=True)
class Collected:
    """What a release has collected for one check: the evidence of all its steps, and what came in
    the present one, ``here``.

    ``open`` is a stratum of which one version is still to come: exporters tell what happened within
    a minute at once, and not all at the same time. ``last_phi`` is the dispersion of the service's
    last release, None where there was none.
    """

    evidence: Evidence = field(default_factory=Evidence)
    open: Stratum = NOTHING
    place: str = ""
    here: Stratum = NOTHING
    last_phi: float | None = None

    def add(self, place: str, buckets: Iterable[Stratum]) -> None:
        """Add what is new, in the order of time. ``place`` names the attempt at a step."""
        if place != self.place:
            self.place, self.here, self.open = place, NOTHING, NOTHING
        for bucket in buckets:
            self.here = add(self.here, bucket)
            self.open = add(self.open, bucket)
            if self.open.canary.requests and self.open.baseline.requests:
                self.evidence.add(self.open)
                self.open = NOTHING

    @property
    def phi(self) -> float:
        return self.evidence.dispersion(last=self.last_phi)

    @property
    def known_phi(self) -> float | None:
        """The dispersion, where this release alone says what it is."""
        return self.evidence.dispersion() if self.evidence.is_dispersion_known else None

    @property
    def document(self) -> dict[str, Any]:
        return {
            "evidence": self.evidence.document,
            "open": numbers_of(self.open),
            "place": self.place,
            "here": numbers_of(self.here),
            "last_phi": self.last_phi,
        }

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> "Collected":
        """What ``document`` gave."""
        return cls(
            Evidence.load(document["evidence"]),
            _stratum(document["open"]),
            document["place"],
            _stratum(document["here"]),
            document["last_phi"],
        )


def numbers_of(one: Stratum) -> list[int]:
    canary, baseline = one.canary, one.baseline
    return [canary.requests, canary.errors, baseline.requests, baseline.errors]


def _stratum(numbers: Sequence[int]) -> Stratum:
    return Stratum(Arm(*numbers[:2]), Arm(*numbers[2:]))


@dataclass(frozen=True, slots=True)
class Compared:
    """A version beside its baseline, as far as it was seen. ``until`` is where the next bucket
    begins, ``read_from`` where the new ones of this time began; ``alpha`` is what false alarms of
    this check may be.
    """

    collected: Collected
    alpha: float
    until: datetime | None = None
    read_from: datetime | None = None

    def judged(self, check: Check) -> Judgement:
        """It fails from the first request on at which the evidence is enough; it passes only with
        its minimum of requests of both versions in the present step."""
        one, here = self.collected.evidence, self.collected.here
        seen = min(here.canary.requests, here.baseline.requests)
        wanting = max(0, check.minimum_requests - seen)
        numbers = self._numbers()
        fires = numbers["evidence"] >= numbers["needed"]
        if fires and one.canary_errors >= check.minimum_errors:
            verdict = Verdict.FAILED
        elif not seen:
            verdict = Verdict.NO_DATA
        else:
            verdict = Verdict.INCONCLUSIVE if wanting or fires else Verdict.PASSED
        value = 100 * numbers["estimate"] if one.canary_requests else None
        return Judgement(verdict, value, one.canary_requests, one.canary_errors, wanting, numbers)

    def _numbers(self) -> dict[str, Any]:
        """``estimate`` and ``lower`` are differences of shares (0 to 1); ``baseline`` its requests
        and errors; ``more`` how many requests of both it would take to find a doubling."""
        one, phi = self.collected.evidence, self.collected.phi
        found = one.difference(alpha=self.alpha, phi=phi)
        return {
            "evidence": min(one.value(phi), MOST_EVIDENCE),
            "needed": 1 / self.alpha,
            "phi": phi,
            "estimate": found.estimate,
            "lower": found.lower,
            "baseline": [one.baseline_requests, one.baseline_errors],
            "here": numbers_of(self.collected.here),
            "more": self._more(phi),
        }

    def _more(self, phi: float) -> int | None:
        one = self.collected.evidence
        seen = one.canary_requests + one.baseline_requests
        if not seen or not one.baseline_errors:
            return None
        return judge.needed(
            rate=one.baseline_errors / one.baseline_requests,
            alpha=self.alpha,
            phi=phi,
            canary_share=one.canary_requests / seen,
            seen=seen,
        )


@dataclass(frozen=True, slots=True)
class Values:
    """The means of business values of each version, one for each window of the step; looked at once
    in a step, when its time is over (``is_due``)."""

    canary: Sequence[float]
    baseline: Sequence[float]
    is_due: bool

    def judged(self, check: Check) -> Judgement:
        found = judge.mann_whitney(self.canary, self.baseline, worse=Direction(check.direction))
        numbers: dict[str, Any] = {
            "windows": [len(self.canary), len(self.baseline)],
            "estimate": found.effect,
            "lower": found.lower,
            "upper": found.upper,
        }
        is_open = found.effect is not None and not self.is_due
        verdict = Verdict.INCONCLUSIVE if is_open else found.verdict
        return Judgement(verdict, found.effect, numbers=numbers)


@dataclass(frozen=True, slots=True)
class NewErrorTypes:
    """Requests and errors of the new version, and how many errors were of each type that no other
    version had."""

    requests: int
    errors: int
    types: Mapping[str, int]

    def judged(self, check: Check) -> Judgement:
        wanting = max(0, check.minimum_requests - self.requests)
        most = max(self.types.values(), default=0)
        if most >= check.threshold:
            verdict = Verdict.FAILED
        elif not self.requests:
            verdict = Verdict.NO_DATA
        else:
            verdict = Verdict.INCONCLUSIVE if wanting else Verdict.PASSED
        counts = (float(most), self.requests, self.errors, wanting)
        return Judgement(verdict, *counts, {"types": dict(self.types)})
