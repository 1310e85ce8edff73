"""The judge: false alarms over all checks and steps of a release, and how soon it finds a doubling,
beside what others do; and what it costs."""

import gc
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from random import Random
from statistics import NormalDist, median
from typing import Final

from bench.judge_traffic import (
    BUCKET_S,
    BUCKETS,
    BY_INSTANCE,
    INSTANCES,
    PER_BUCKET,
    RATES,
    SCENARIOS,
    SHARES,
    Bucket,
    Scenario,
    Traffic,
    exposures,
)
from releases.engine import judge
from releases.engine.judge import Arm, Evidence, Stratum

ALPHA: Final = 0.05
CHECKS: Final = ("errors", "latency", "sample ratio")
SHARE: Final = judge.alpha_of(dict.fromkeys(CHECKS, 1.0), ALPHA)["errors"]
RUNS, QUICK_RUNS = 500, 20
OUTCOMES: Final = 10_000_000
JUDGE, UNTOLD, THRESHOLD, FIXED, POOLED = "judge", "untold", "threshold", "fixed", "pooled"
WAYS: Final = (JUDGE, UNTOLD, THRESHOLD, FIXED, POOLED)
Fired = dict[str, int]


@dataclass(slots=True)
class Watched:
    """One check of one release, watched in every way at once; None has said no yet."""

    evidence: Evidence = field(default_factory=Evidence)
    # Canary, baseline, the rest of the traffic: requests and errors of all buckets, and instances.
    requests: list[int] = field(default_factory=lambda: [0, 0, 0])
    errors: list[int] = field(default_factory=lambda: [0, 0, 0])
    in_step: list[int] = field(default_factory=lambda: [0, 0, 0])
    instances: tuple[list[Arm], list[Arm]] | None = None

    def see(self, bucket: Bucket, is_first: bool) -> None:
        self.evidence.add(bucket.stratum)
        arms = (bucket.stratum.canary, bucket.stratum.baseline, bucket.others)
        if is_first:
            self.in_step = [0, 0, 0]
        self.in_step[0] += arms[0].requests
        for at, arm in enumerate(arms):
            self.requests[at] += arm.requests
            self.errors[at] += arm.errors
        self.in_step[1] += arms[0].errors
        self.in_step[2] += arms[1].errors
        if len(bucket.canary) > 1:
            each = bucket.stratum.canary.requests // INSTANCES
            before = self.instances or ([Arm(0, 0)] * INSTANCES, [Arm(0, 0)] * INSTANCES)
            self.instances = (
                _sum(before[0], bucket.canary, each),
                _sum(before[1], bucket.baseline, each),
            )

    def judge(self) -> bool:
        return self._fires(judge.instance_dispersion(*self.instances) if self.instances else None)

    def untold(self) -> bool:
        """The judge where nobody tells it which instance answered."""
        return self._fires(None)

    def _fires(self, of_instances: float | None) -> bool:
        if max(self.evidence.likelihoods) < _LN_FIRES:
            return False  # No mean is more, and no dispersion makes it more.
        phi = max(self.evidence.dispersion(), of_instances or 1.0)
        return self.evidence.value(phi) >= 1 / SHARE

    def threshold(self) -> bool:
        """Half as many errors again in this step, from 100 requests and 5 errors on."""
        requests, errors, of_baseline = self.in_step
        return requests >= 100 and errors >= 5 and errors > 1.5 * of_baseline

    def fixed(self) -> bool:
        """The z-test of two shares at this alpha, whose size was never fixed."""
        n, both = self.requests[0], self.errors[0] + self.errors[1]
        share = both / (2 * n)
        variance = 2 * share * (1 - share) * n
        return variance > 0 and (self.errors[0] - self.errors[1]) / math.sqrt(variance) > _Z

    def pooled(self) -> bool:
        """The judge's evidence of all steps in one stratum, against all other traffic."""
        others = Arm(sum(self.requests[1:]), sum(self.errors[1:]))
        if self.errors[0] * others.requests <= others.errors * self.requests[0]:
            return False
        one = Evidence()
        one.add(Stratum(Arm(self.requests[0], self.errors[0]), others))
        if max(one.likelihoods) < _LN_FIRES:
            return False
        return one.value(self.evidence.dispersion()) >= 1 / SHARE


_LN_FIRES: Final = math.log(1 / SHARE)
_Z: Final = NormalDist().inv_cdf(1 - SHARE)


def _sum(before: list[Arm], errors: list[int], requests: int) -> list[Arm]:
    pairs = zip(before, errors, strict=True)
    return [Arm(one.requests + requests, one.errors + more) for one, more in pairs]


def release(scenario: Scenario, seed: int, times: float = 1.0) -> Fired:
    """At which bucket each way fired, if it did, on a release's errors; where versions are equal,
    on its latency (a share of slow requests as large) and its sample ratio too."""
    random = Random(f"{scenario.title} {times} {seed}")  # noqa: S311  no secret
    fired: Fired = {}
    ways = [one for one in WAYS if one != UNTOLD or scenario.errors in BY_INSTANCE]
    for _check in CHECKS[:2] if times == 1 else CHECKS[:1]:
        _watch(Traffic(scenario, random, times).buckets(), ways, fired)
    if times == 1 and (at := _mismatch(random)) is not None:
        for way in (JUDGE, UNTOLD):
            fired[way] = min(at, fired.get(way, at))
    return fired


def _watch(buckets: Iterator[Bucket], ways: list[str], fired: Fired) -> None:
    watched = Watched()
    for at, bucket in enumerate(buckets):
        watched.see(bucket, is_first=at % BUCKETS == 0)
        for way in ways:
            if fired.get(way, at) >= at and getattr(watched, way)():
                fired[way] = at
        if len(fired) == len(ways) and max(fired.values()) <= at:
            return


def _mismatch(random: Random) -> int | None:
    """The bucket at which users' first exposures are found to be out of proportion."""
    before, at = 0.0, 0
    for share in SHARES:
        users, ln_ratio = [0, 0], 0.0
        for _bucket in range(BUCKETS):
            for arm, more in enumerate(exposures(random, share)):
                users[arm] += more
            ln_ratio = judge.sample_ratio([(users, (share, 1 - share))])
            if before + ln_ratio >= _LN_FIRES:
                return at
            at += 1
        before += ln_ratio
    return None


def simulate(scenarios: tuple[Scenario, ...], runs: int, times: float) -> list[list[Fired]]:
    """So many releases of each scenario, on two cores."""
    with get_context("fork").Pool(2) as pool:
        return [
            pool.map(partial(release, one, times=times), range(runs), chunksize=max(1, runs // 8))
            for one in scenarios
        ]


def run(*, is_quick: bool = False) -> list[str]:
    """Measure; returns the lines of Markdown tables. Raises RuntimeError where the judge gives more
    false alarms than alpha, or pooling is not seen to fail where the rate drifts."""
    runs = QUICK_RUNS if is_quick else RUNS
    equal, doubled = simulate(SCENARIOS, runs, 1.0), simulate(SCENARIOS, runs, 2.0)
    lines = [_alarms(equal, runs), _found(doubled, runs), cost()]
    return [line for part in lines for line in [*part, ""]]


def broken(alarms: dict[Scenario, Counter[str]], runs: int) -> list[str]:
    """What was promised of false alarms and is not so."""
    most = ALPHA * runs
    found = [one.title for one, fired in alarms.items() if fired[JUDGE] > most]
    drifting = [one for one in alarms if one.drifts and one.rate >= 0.01]
    return found + [
        f"pooled, {one.title}: no alarms" for one in drifting if alarms[one][POOLED] <= most
    ]


def _alarms(equal: list[list[Fired]], runs: int) -> list[str]:
    lines = [
        f"| false alarms in {runs} releases | judge | instances not told | threshold "
        "| z-test, peeked at | pooled, the rest |",
        "| --- " + "| ---: " * len(WAYS) + "|",
    ]
    alarms = {
        scenario: Counter(way for fired in found for way in fired)
        for scenario, found in zip(SCENARIOS, equal, strict=True)
    }
    for scenario, counts in alarms.items():
        cells = [f"{100 * counts[way] / runs:.1f} %" for way in WAYS]
        if scenario.errors not in BY_INSTANCE:
            cells[1] = ""
        lines.append(f"| {scenario.title} | " + " | ".join(cells) + " |")
    if runs >= RUNS and (wrong := broken(alarms, runs)):
        raise RuntimeError("\n".join([*lines, *wrong]))
    return lines


def _found(doubled: list[list[Fired]], runs: int) -> list[str]:
    lines = [
        f"| a doubling found in {runs} releases | judge | requests of the canary | threshold "
        "| z-test, peeked at | pooled, the rest |",
        "| --- " + "| ---: " * len(WAYS) + "|",
    ]
    for scenario, found in zip(SCENARIOS, doubled, strict=True):
        cells = [_power(found, way) for way in WAYS]
        cells[1] = _median_of(found, JUDGE, lambda at: f"{_requests(at):,}")
        lines.append(f"| {scenario.title} | " + " | ".join(cells) + " |")
    return lines


def _power(found: list[Fired], way: str) -> str:
    share = sum(way in fired for fired in found) / len(found)
    after = _median_of(found, way, lambda at: f", {(at + 1) * BUCKET_S / 60:.1f} min")
    return f"{100 * share:.0f} %{after}"


def _median_of(found: list[Fired], way: str, tell: Callable[[int], str]) -> str:
    """Of all releases; nothing where fewer than half were found."""
    at = median(fired.get(way, math.inf) for fired in found)
    return tell(math.ceil(at)) if math.isfinite(at) else ""


def _requests(bucket: int) -> int:
    """Of the canary up to the end of a bucket."""
    steps = enumerate(SHARES)
    return sum(
        round(PER_BUCKET * share) * min(BUCKETS, max(0, bucket + 1 - step * BUCKETS))
        for step, share in steps
    )


def cost() -> list[str]:
    """Of a tick of a release with three checks, from what is stored to what is stored, after
    OUTCOMES; the median and the longest of 1,000."""
    each = OUTCOMES // (len(SHARES) * BUCKETS)
    stratum = Stratum(Arm(each // 2, each // 100), Arm(each // 2, each // 101))
    kept = Evidence()
    for _bucket in range(len(SHARES) * BUCKETS):
        kept.add(stratum)
    stored = json.dumps(kept.document)
    took = []
    gc.collect()
    for _tick in range(1_000):
        began = time.perf_counter()
        for _check in CHECKS:
            stored = _tick_of(stored, stratum)
        took.append(1000 * (time.perf_counter() - began))
    title = f"a tick of {len(CHECKS)} checks after {OUTCOMES:,} outcomes"
    return [
        "| cost | median | longest | bar |",
        "| --- | ---: | ---: | ---: |",
        f"| {title} | {median(took):.3f} ms | {max(took):.3f} ms | 5 ms |",
    ]


def _tick_of(stored: str, stratum: Stratum) -> str:
    found = Evidence.load(json.loads(stored))
    found.add(stratum)
    phi = found.dispersion()
    found.value(phi)
    found.difference(alpha=SHARE, phi=phi)
    judge.needed(rate=0.01, alpha=SHARE, phi=phi)
    return json.dumps(found.document)


def describe() -> str:
    """How the releases were made."""
    shares = ", ".join(f"{100 * share:g}" for share in SHARES)
    return (
        f"Simulated: {PER_BUCKET / BUCKET_S:g} requests/s; steps of {shares} %, "
        f"{BUCKETS * BUCKET_S // 60} min each; alpha {ALPHA:g} over {', '.join(CHECKS)} alike; "
        f"looked at every {BUCKET_S} s from the first request; error rates "
        f"{', '.join(f'{100 * one:g}' for one in RATES)} %"
    )
