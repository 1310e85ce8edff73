"""A check of a service, run over the releases that are recorded there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from flags.channel.telemetry import OTHERS
from portal.access.models import Environment
from portal.lib.errors import Invalid
from releases.catalogue.models import Service, ServiceSetup
from releases.catalogue.reading import valid
from releases.core.comparisons import baseline_of
from releases.core.models import OVER, Release, State
from releases.engine import backtest
from releases.engine.backtest import RecordedBucket, RecordedStep, Replay, Summary, VersionCounts
from releases.engine.checks import TESTED, Check, read_check
from releases.engine.comparisons import alphas_of
from releases.engine.plans import Strategy, usual_plan
from releases.telemetry.models import OutcomeBucket
from releases.telemetry.storing import KEPT_FOR

MOST_RELEASES: Final = 20
MOST_BUCKETS: Final = 20_000
"""Rows of one release that are read; what comes later is left out."""
_HOUR: Final = timedelta(hours=1)
_BACK: Final = (State.ROLLED_BACK, State.ABORTED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Backtested:
    """A release with what the check would have said, and how it ended (releases.engine.backtest);
    ``is_false`` where it succeeded, and nobody has undone it since."""

    release: Release
    replay: Replay
    outcome: str

    @property
    def is_false(self) -> bool:
        return self.replay.fired is not None and self.outcome == backtest.SUCCEEDED


def _outcome(release: Release) -> str:
    if release.state == State.SUCCEEDED:
        return backtest.SUCCEEDED if release.undone_by is None else backtest.WENT_BACK
    return backtest.WENT_BACK if release.state in _BACK else ""


@dataclass(frozen=True, slots=True)
class Backtest:
    check: Check
    rows: list[Backtested]

    @property
    def summary(self) -> Summary:
        return backtest.summary_of((one.outcome, one.replay) for one in self.rows)


def run(service: Service, environment: Environment, document: object, now: datetime) -> Backtest:
    """The newest releases there that are over, as far as their outcomes are kept. Nothing is
    stored. Raises Invalid with each field of the check that is wrong, or where it is of a kind that
    cannot be asked about the past."""
    check: Check = valid(read_check, document, under="check")
    if check.kind not in backtest.KINDS:
        text = _("A check of this kind asks somebody now, and cannot be asked about the past.")
        raise Invalid({"check.kind": text})
    rows, last_phi = [], None
    alpha = _alpha_of(check, service, environment)
    found = Release.objects.filter(service=service, environment=environment, state__in=OVER)
    lately = found.filter(started_at__gt=now - KEPT_FOR).select_related("artefact", "stable")
    for release in sorted(lately.order_by("-started_at")[:MOST_RELEASES], key=lambda one: one.pk):
        release.service, release.environment = service, environment
        steps = list(_steps(release, now))
        buckets = _buckets(release, check, steps) if steps else []
        one = backtest.replay(check, steps, buckets, alpha=alpha, last_phi=last_phi)
        last_phi = one.phi or last_phi
        rows.append(Backtested(release, one, _outcome(release)))
    return Backtest(check, rows[::-1])


def _alpha_of(check: Check, service: Service, environment: Environment) -> float:
    """Its part in a release that has the other checks of the setup too."""
    setup = ServiceSetup.objects.filter(service=service, environment=environment).first()
    others = [read_check(one) for one in setup.checks] if setup else []
    kept = [one for one in others if one.key != check.key]
    alphas = alphas_of([*kept, check], usual_plan(Strategy.CANARY).alpha)
    return alphas[check.key] if check.kind in TESTED else 1.0


def _steps(release: Release, now: datetime) -> Iterable[RecordedStep]:
    plan = release.parsed_plan
    for one in release.executions.exclude(reached_at=None):
        ended_at = one.ended_at or now
        if one.step == len(plan.all_steps) - 1 and release.watch_until:
            ended_at = max(ended_at, min(release.watch_until, now))
        assert one.reached_at is not None
        soak_s = plan.all_steps[one.step].soak_s
        yield RecordedStep(one.step, one.share, soak_s, one.reached_at, ended_at)


_SKETCH: Final = Cast("durations", TextField())
_READ: Final = ("start", "width", "version", "requests", "errors", _SKETCH, "error_types", "values",
                "value_sum", "histogram")  # fmt: skip


def _buckets(release: Release, check: Check, steps: list[RecordedStep]) -> list[RecordedBucket]:
    baseline = baseline_of(release)
    rows = OutcomeBucket.objects.filter(
        environment=release.environment,
        about="service",
        name=release.about.key,
        start__gte=steps[0].began_at - _HOUR,
        start__lt=steps[-1].ended_at,
    )
    if not check.counts_clients:
        rows = rows.filter(by_client=False)
    found: dict[datetime, RecordedBucket] = {}
    for start, width, version, *told in rows.order_by("start").values_list(*_READ)[:MOST_BUCKETS]:
        bucket = found.setdefault(start, RecordedBucket(start, width))
        one = _told(*told)
        if version == release.version:
            bucket.canary = _merged(bucket.canary, one)
            continue
        bucket.other_types |= one.error_types.keys()
        if version == baseline:
            bucket.baseline = _merged(bucket.baseline, one)
    return list(found.values())


def _told(
    requests: int,
    errors: int,
    sketch: str,
    types: dict[str, int],
    values: int,
    total: float,
    histogram: dict[str, int],
) -> VersionCounts:
    durations = {int(bucket): count for bucket, count in orjson.loads(sketch).items()}
    counted = {kind: count for kind, count in types.items() if kind != OTHERS}
    return VersionCounts(requests, errors, durations, counted, (values, total), histogram)


def _merged(one: VersionCounts, other: VersionCounts) -> VersionCounts:
    """Server keys and client keys told of the same seconds."""
    return VersionCounts(
        one.requests + other.requests,
        one.errors + other.errors,
        _sums(one.durations, other.durations),
        _sums(one.error_types, other.error_types),
        (one.values[0] + other.values[0], one.values[1] + other.values[1]),
        _sums(one.histogram, other.histogram),
    )


def _sums(one: Any, other: Any) -> dict[Any, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
