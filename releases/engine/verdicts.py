"""What a measurement means for a check: a verdict, and what it rests on."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from releases.engine.checks import Check, Kind
from releases.engine.promql import Reading
from releases.engine.tally import Tally, is_above


@dataclass(frozen=True, slots=True)
class Probes:
    """Answers of a probe in a window: how many, how many failed, how often it changed its mind."""

    asked: int
    failed: int
    flaps: int = 0


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what it rests on: the value, and how many requests more it takes. ``numbers``
    is what else there is to show of it, as JSON; ``detail`` says in a sentence why there is no
    value, or what it is of.

    Where only an interval is known, as of histograms, the value is its upper end and ``least``
    among the numbers its lower one; where there is no upper end, both are the lower.
    """

    verdict: Verdict
    value: float | None = None
    requests: int = 0
    errors: int = 0
    wanting: int = 0
    numbers: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""


class Comparable(Protocol):
    """What was measured of more than one version (releases.engine.comparisons)."""

    def judged(self, check: Check) -> Judgement: ...


Measured = Tally | Probes | Comparable | Reading | None


def judge(check: Check, measured: Measured) -> Judgement:
    """What a measurement means for a check; None where it could not be measured."""
    if measured is None:
        return Judgement(Verdict.ERROR)
    if isinstance(measured, Tally):
        return _judge_tally(check, measured)
    if isinstance(measured, Probes):
        return _judge_probes(check, measured)
    return (
        _judge_reading(check, measured) if isinstance(measured, Reading) else measured.judged(check)
    )


def _judge_reading(check: Check, reading: Reading) -> Judgement:
    if reading.value is None or math.isnan(reading.value):
        no_data = reading.value is None and not reading.is_error
        verdict = Verdict.NO_DATA if no_data else Verdict.ERROR
        return Judgement(verdict, detail=reading.detail)
    at_least = check.kind is Kind.ALERTS
    failed = reading.value >= check.threshold if at_least else reading.value > check.threshold
    # +Inf is above every threshold; no database keeps it.
    value = min(reading.value, sys.float_info.max)
    verdict = Verdict.FAILED if failed else Verdict.PASSED
    return Judgement(verdict, value, detail=reading.detail)


def _judge_tally(check: Check, tally: Tally) -> Judgement:
    if check.kind is Kind.LATENCY:
        return _judge_latency(check, tally)
    wanting = max(0, check.minimum_requests - tally.requests)
    if not tally.requests:
        return Judgement(Verdict.NO_DATA, wanting=wanting)
    value = 100 * tally.errors / tally.requests
    enough = not wanting and tally.errors >= check.minimum_errors
    verdict = Verdict.INCONCLUSIVE if wanting else Verdict.PASSED
    if value > check.threshold:
        verdict = Verdict.FAILED if enough else Verdict.INCONCLUSIVE
    return Judgement(verdict, value, tally.requests, tally.errors, wanting)


def _judge_latency(check: Check, tally: Tally) -> Judgement:
    """Nobody can know where the threshold lies within the interval in which the quantile is."""
    seen, found = tally.timed, tally.quantile(check.quantile)
    wanting = max(0, check.minimum_requests - seen)
    if found is None:
        return Judgement(Verdict.NO_DATA, wanting=wanting)
    least, most = found
    above = is_above(found, check.threshold)
    verdict = Verdict.INCONCLUSIVE
    if not wanting and above is not None:
        verdict = Verdict.FAILED if above else Verdict.PASSED
    value = most if math.isfinite(most) else least
    between = {"least": least} if least < most else {}
    return Judgement(verdict, value, seen, tally.errors, wanting, between)


def _judge_probes(check: Check, probes: Probes) -> Judgement:
    if not probes.asked:
        return Judgement(Verdict.NO_DATA, wanting=1)
    failed = probes.failed >= check.threshold
    verdict = Verdict.FAILED if failed else Verdict.PASSED
    return Judgement(verdict, float(probes.failed), probes.asked, probes.failed)
