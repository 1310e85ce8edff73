"""Comparisons of the new version with the baseline: what a release collects, and what it means.

Outcomes come in buckets of seconds. Those of a step make *strata*, in which both versions were there
at the same time and in the same proportion. Evidence multiplies over strata and steps; counts of
different strata are never added up before they are compared, for the rate of errors drifts while
the share grows (releases.engine.judge has the formulas).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from releases.engine import judge
from releases.engine.checks import TESTED, Check, Judgement, Role, Verdict
from releases.engine.judge import Arm, Evidence, Stratum

SETTLES: Final = timedelta(seconds=10)
"""How long after its end a bucket may still grow. What comes later is shown, and not compared."""
MOST_STRATA: Final = 600
"""Beyond it neighbours of one step become one stratum."""
MOST_EVIDENCE: Final = 1e12
LEAST_WINDOWS: Final = 5
"""Windows of values of each version, without which nothing is said of them."""
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
    """What a release has collected for one check: the evidence of all its steps, their strata
    (each with the step that it is of), and all of the present step, ``here``.

    ``open`` is a stratum of which one version is still to come: exporters tell what happened within
    a minute at once, and not all at the same time. ``last_phi`` is the dispersion of the service's
    last release, None where there was none.
    """

    evidence: Evidence = field(default_factory=Evidence)
    strata: list[tuple[str, Stratum]] = field(default_factory=list)
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
                self.strata.append((place, self.open))
                self.open = NOTHING
        while len(self.strata) > MOST_STRATA:
            self.strata = _in_pairs(self.strata)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "evidence": self.evidence.document,
            "strata": [[place, *_numbers(one)] for place, one in self.strata],
            "open": _numbers(self.open),
            "place": self.place,
            "here": _numbers(self.here),
            "last_phi": self.last_phi,
        }

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> "Collected":
        """What ``document`` gave."""
        return cls(
            Evidence.load(document["evidence"]),
            [(place, _stratum(numbers)) for place, *numbers in document["strata"]],
            _stratum(document["open"]),
            document["place"],
            _stratum(document["here"]),
            document["last_phi"],
        )


def _numbers(one: Stratum) -> list[int]:
    canary, baseline = one.canary, one.baseline
    return [canary.requests, canary.errors, baseline.requests, baseline.errors]


def _stratum(numbers: Sequence[int]) -> Stratum:
    return Stratum(Arm(*numbers[:2]), Arm(*numbers[2:]))


def _in_pairs(strata: list[tuple[str, Stratum]]) -> list[tuple[str, Stratum]]:
    """Neighbours of one step together: its share, and with it their proportion, is the same."""
    found: list[tuple[str, Stratum]] = []
    is_whole = True
    for place, one in strata:
        if not is_whole and found[-1][0] == place:
            found[-1] = place, add(found[-1][1], one)
            is_whole = True
        else:
            found.append((place, one))
            is_whole = False
    return found if len(found) < len(strata) else strata[1:]


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
        here, strata = self.collected.here, [one for _place, one in self.collected.strata]
        seen = min(here.canary.requests, here.baseline.requests)
        wanting = max(0, check.minimum_requests - seen)
        numbers = self._numbers(strata)
        all_of = _numbers(_total(strata))
        if numbers["evidence"] >= numbers["needed"] and all_of[1] >= check.minimum_errors:
            verdict = Verdict.FAILED
        elif not seen:
            verdict = Verdict.NO_DATA
        else:
            is_open = wanting or numbers["evidence"] >= numbers["needed"]
            verdict = Verdict.INCONCLUSIVE if is_open else Verdict.PASSED
        estimate = numbers["estimate"]
        value = None if estimate is None else 100 * estimate
        return Judgement(verdict, value, all_of[0], all_of[1], wanting, numbers)

    def _numbers(self, strata: Sequence[Stratum]) -> dict[str, Any]:
        """Differences in shares (0 to 1); ``baseline`` and ``here`` are requests and errors."""
        phi = judge.dispersion(strata, self.collected.last_phi)
        found = judge.difference(strata, alpha=self.alpha, phi=phi) if strata else None
        total = _total(strata)
        return {
            "evidence": min(self.collected.evidence.value(phi), MOST_EVIDENCE),
            "needed": 1 / self.alpha,
            "phi": phi,
            "estimate": _finite(found and found.estimate),
            "lower": _finite(found and found.lower),
            "baseline": _numbers(total)[2:],
            "here": _numbers(self.collected.here),
        }


def _total(strata: Iterable[Stratum]) -> Stratum:
    """All that was compared, to say how much that is: never to compare it."""
    total = NOTHING
    for one in strata:
        total = add(total, one)
    return total


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Values:
    """The means of business values of each version, one for each window of the step; looked at once
    in a step, when its time is over (``is_due``)."""

    canary: Sequence[float]
    baseline: Sequence[float]
    is_due: bool

    def judged(self, check: Check) -> Judgement:
        numbers: dict[str, Any] = {"windows": [len(self.canary), len(self.baseline)]}
        least = min(numbers["windows"])
        if not self.is_due or least < LEAST_WINDOWS:
            verdict = Verdict.INCONCLUSIVE if least else Verdict.NO_DATA
            return Judgement(verdict, numbers=numbers)
        raise NotImplementedError


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
