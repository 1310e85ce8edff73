"""A check, run over what releases have done before it is armed: when it would have failed.

Buckets are looked at one after the other, each as soon as it is over, by the rules of a release
under way. People's commands are not played again: a release that went back was measured until then.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Final, TypeVar

from flags.engine.histogram import limit_of_all, slow_among
from flags.engine.sketch import Sketch, bucket_of
from releases.engine.checks import COMPARING, Check, Kind
from releases.engine.comparisons import Collected, Compared, NewErrorTypes, Values
from releases.engine.judge import Arm, Stratum
from releases.engine.steps import WHOLE
from releases.engine.tally import Tally
from releases.engine.verdicts import Judgement, Measured, Verdict, judge

KINDS: Final = frozenset(
    {
        Kind.ERROR_RATE,
        Kind.LATENCY,
        Kind.ERROR_COMPARISON,
        Kind.LATENCY_COMPARISON,
        Kind.VALUE_COMPARISON,
        Kind.NEW_ERROR_TYPES,
    }
)
"""What can be run again: what is measured from recorded outcomes. Nobody can ask a probe about the
past."""


@dataclass(slots=True)
class VersionCounts:
    """What one version did in one bucket; ``values`` how many values came, and their sum."""

    requests: int = 0
    errors: int = 0
    durations: Mapping[int, int] = field(default_factory=dict)
    error_types: Mapping[str, int] = field(default_factory=dict)
    values: tuple[int, float] = (0, 0.0)
    histogram: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class RecordedBucket:
    """Both versions in the same seconds; ``other_types`` are the types of errors that all other
    versions had then."""

    start: datetime
    width_s: int
    canary: VersionCounts = field(default_factory=VersionCounts)
    baseline: VersionCounts = field(default_factory=VersionCounts)
    other_types: set[str] = field(default_factory=set)

    @property
    def ends_at(self) -> datetime:
        return self.start + timedelta(seconds=self.width_s)


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One attempt at a step, from when its traffic was there; the watch is part of the last."""

    step: int
    share: int
    soak_s: int
    began_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Firing:
    """The first time that a check fails: after so many seconds of which step."""

    step: int
    after_s: float
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of a check at one release. ``looks`` is how often it said anything but no data;
    ``width_s`` the coarsest buckets, 0 where none is kept any more."""

    looks: int
    width_s: int
    fired: Firing | None
    phi: float | None = None


def replay(
    check: Check,
    steps: Sequence[RecordedStep],
    buckets: Sequence[RecordedBucket],
    *,
    alpha: float,
    last_phi: float | None = None,
) -> Replay:
    """Run a check over one release, whose buckets are in the order of time."""
    collected = Collected(last_phi=last_phi)
    look = _LOOKS[check.kind]
    looks, fired = 0, None
    known: set[str] = set()
    for number, step in enumerate(steps):
        if check.kind in COMPARING and step.share in (0, WHOLE):
            continue
        failures = 0
        known |= {kind for one in buckets if one.start < step.began_at for kind in one.other_types}
        mine = [one for one in buckets if step.began_at <= one.start < step.ended_at]
        run = _Run(check, step, mine, collected, str(number), alpha, known)
        for at, measured in look(run):
            judgement = judge(check, measured)
            looks += judgement.verdict is not Verdict.NO_DATA
            failures = failures + 1 if judgement.verdict is Verdict.FAILED else 0
            if failures >= check.failures:
                fired = Firing(step.step, (at - step.began_at).total_seconds(), judgement)
                break
        if fired:
            break
    width_s = max((one.width_s for one in buckets), default=0)
    return Replay(looks, width_s, fired, collected.known_phi)


@dataclass(frozen=True, slots=True)
class _Run:
    check: Check
    step: RecordedStep
    buckets: Sequence[RecordedBucket]
    collected: Collected
    place: str
    alpha: float
    known: set[str]


Looks = Iterator[tuple[datetime, Measured]]


_Bucket = TypeVar("_Bucket", int, str)


def _tallies(run: _Run) -> Looks:
    """Of the window that ends with each bucket: what comes is added, what leaves is taken out."""
    held = deque[RecordedBucket]()
    requests, errors, durations, histogram = 0, 0, dict[int, int](), dict[str, int]()
    window = timedelta(seconds=run.check.window_s)
    for bucket in run.buckets:
        held.append(bucket)
        requests, errors = requests + bucket.canary.requests, errors + bucket.canary.errors
        _count(durations, bucket.canary.durations, 1)
        _count(histogram, bucket.canary.histogram, 1)
        while held[0].start < bucket.ends_at - window and len(held) > 1:
            gone = held.popleft().canary
            requests, errors = requests - gone.requests, errors - gone.errors
            _count(durations, gone.durations, -1)
            _count(histogram, gone.histogram, -1)
        yield bucket.ends_at, Tally(requests, errors, Sketch(durations), histogram=histogram)


def _count(total: dict[_Bucket, int], more: Mapping[_Bucket, int], sign: int) -> None:
    for bucket, count in more.items():
        total[bucket] = total.get(bucket, 0) + sign * count


def _compared(run: _Run) -> Looks:
    arm = _arm_of(run)
    for bucket in run.buckets:
        stratum = Stratum(arm(bucket.canary), arm(bucket.baseline))
        run.collected.add(run.place, [stratum])
        yield bucket.ends_at, Compared(run.collected, run.alpha)


def _arm_of(run: _Run) -> Callable[[VersionCounts], Arm]:
    if run.check.kind is Kind.ERROR_COMPARISON:
        return lambda told: Arm(told.requests, told.errors)
    both = (one.histogram for bucket in run.buckets for one in (bucket.canary, bucket.baseline))
    slower_than_ms = limit_of_all(both, run.check.slower_than_ms)
    limit = bucket_of(slower_than_ms)

    def arm(told: VersionCounts) -> Arm:
        slow = sum(count for bucket, count in told.durations.items() if bucket > limit)
        more = slow_among(told.histogram, slower_than_ms)
        return Arm(sum(told.durations.values()) + more[0], slow + more[1])

    return arm


def _values(run: _Run) -> Looks:
    """Once, when the step's time is over, as far as it got so far."""
    due_at = run.step.began_at + timedelta(seconds=run.step.soak_s)
    if not run.buckets or run.step.ended_at < due_at:
        return
    mine = [one for one in run.buckets if one.ends_at <= due_at]
    canary = _means(run, ((one.start, one.canary.values) for one in mine))
    baseline = _means(run, ((one.start, one.baseline.values) for one in mine))
    yield due_at, Values(canary, baseline, is_due=True)


def _means(run: _Run, told: Iterable[tuple[datetime, tuple[int, float]]]) -> list[float]:
    window = timedelta(seconds=run.check.window_s)
    found: dict[int, tuple[int, float]] = {}
    for start, (number, total) in told:
        at = (start - run.step.began_at) // window
        before = found.get(at, (0, 0.0))
        found[at] = before[0] + number, before[1] + total
    return [total / number for _at, (number, total) in sorted(found.items()) if number]


def _new_types(run: _Run) -> Looks:
    requests, errors, types = 0, 0, dict[str, int]()
    for bucket in run.buckets:
        run.known.update(bucket.other_types)
        requests, errors = requests + bucket.canary.requests, errors + bucket.canary.errors
        for kind, count in bucket.canary.error_types.items():
            types[kind] = types.get(kind, 0) + count
        often = {
            kind: count
            for kind, count in types.items()
            if count >= run.check.threshold and kind not in run.known
        }
        yield bucket.ends_at, NewErrorTypes(requests, errors, often)


_LOOKS: Final[Mapping[Kind, Callable[[_Run], Looks]]] = {
    Kind.ERROR_RATE: _tallies,
    Kind.LATENCY: _tallies,
    Kind.ERROR_COMPARISON: _compared,
    Kind.LATENCY_COMPARISON: _compared,
    Kind.VALUE_COMPARISON: _values,
    Kind.NEW_ERROR_TYPES: _new_types,
}


@dataclass(frozen=True, slots=True)
class Summary:
    """Of how many releases with data it fails at how many; of those that succeeded, falsely; of
    those that went back, rightly, and after how many seconds of a step (the median)."""

    measured: int
    fired: int
    succeeded: int
    fired_falsely: int
    went_back: int
    fired_rightly: int
    after_s: float | None


def summary_of(replays: Iterable[tuple[str, Replay]]) -> Summary:
    """By the outcome of each release: ``succeeded``, ``went_back``, or anything else."""
    found = [(outcome, one) for outcome, one in replays if one.looks]
    fired = [(outcome, one.fired) for outcome, one in found if one.fired]
    outcomes, of_fired = [one for one, _r in found], [one for one, _f in fired]
    return Summary(
        len(found),
        len(fired),
        outcomes.count(SUCCEEDED),
        of_fired.count(SUCCEEDED),
        outcomes.count(WENT_BACK),
        of_fired.count(WENT_BACK),
        median(one.after_s for _outcome, one in fired) if fired else None,
    )


SUCCEEDED: Final = "succeeded"
WENT_BACK: Final = "went_back"
