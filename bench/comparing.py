"""What judging a release costs at one look, however many outcomes it has seen."""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from bench import lines_of, start_django

OUTCOMES = int(os.environ.get("BENCH_OUTCOMES", "10000000"))
# Two hours of buckets of each version, and so many more, one at each look.
BUCKETS, LOOKS = 720, 100
CHECKS: dict[str, list[dict[str, Any]]] = {
    "thresholds": [
        {"key": "errors", "kind": "error_rate", "threshold": 5},
        {"key": "slow", "kind": "latency", "threshold": 2000},
    ],
    "comparisons": [
        {"key": "more-errors", "kind": "error_comparison"},
        {"key": "slower", "kind": "latency_comparison", "slower_than_ms": 500},
    ],
}


def run() -> list[str]:
    """Measure on SQLite, and on PostgreSQL where it is installed; the lines of a Markdown table."""
    from tests.support import postgres

    head = [
        f"| processor time of one look at a release with {OUTCOMES:,} outcomes | p50 | p99 |",
        "| --- | ---: | ---: |",
    ]
    lines = lines_of("bench.comparing", "SQLite")
    binaries = postgres.find_binaries()
    if binaries:
        with postgres.running(binaries) as url, postgres.database(url, "aviary") as own:
            lines += lines_of("bench.comparing", "PostgreSQL", DATABASE_URL=own)
    return [*head, *lines]


def _main(name: str) -> None:
    start_django()
    print(json.dumps(list(_measure(name))))


def _measure(name: str) -> Iterator[str]:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for kind, checks in CHECKS.items():
        found = _look(_begin(kind, checks))
        for what, times in zip(("read", "judged", "stored, and the release"), found, strict=True):
            times.sort()
            p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
            yield f"| {name}, two {kind}: {what} | {1000 * p50:.2f} ms | {1000 * p99:.2f} ms |"


def _begin(key: str, checks: list[dict[str, Any]]) -> Any:
    """A canary at its first step, of which nothing was looked at yet."""
    from portal.access.services import create_project
    from portal.lib import clock, journal
    from portal.lib.journal import Intent
    from releases.catalogue import services
    from releases.core.models import Release
    from releases.core.starting import plan_and_start

    by = Intent(journal.system("bench"))
    project = create_project(key=key, name="Shop", intent=by)
    place = project.environments.get(key="development")
    service = services.put_service(project=project, key="shop", name="Shop", owners=[], intent=by)
    setup = {"router": {"kind": "manual"}, "checks": checks}
    services.put_setup(service=service, environment=place, document=setup, intent=by)
    document = {
        "service": "shop",
        "strategy": "canary",
        "plan": {"steps": [{"share": 50, "soak_s": 86_400}, {"share": 100}]},
        "artefact": {"version": "2.0", "digest": "sha256:" + "a" * 64},
    }
    plan_and_start(project=project, environment=place, document=document, intent=by)
    rows = Release.objects.select_related("environment", "service", "artefact")
    release = rows.get(project=project)
    release.router = release.router | {"baseline": "baseline"}
    release.entered_at = clock.database_now() - timedelta(seconds=10 * BUCKETS)
    release.save()
    return release


def _look(release: Any) -> tuple[list[float], list[float], list[float]]:
    from django.db import transaction

    from releases.checks import measure
    from releases.core import comparisons, situation
    from releases.engine.verdicts import judge

    _tell(release, range(BUCKETS))
    checks = {check.key: check for check in release.parsed_plan.checks}
    reading, judging, storing = [], [], []
    for look in range(LOOKS + 1):
        at = release.entered_at + timedelta(seconds=10 * (BUCKETS + look) + 21)
        _tell(release, range(BUCKETS + look, BUCKETS + look + 1))
        began = time.process_time()
        found = measure(
            release.parsed_plan.checks,
            situation.subject_of(release),
            since=release.entered_at,
            at=at,
            states=release.checks,
            comparing=comparisons.comparing_of(release, at),
        )
        measured = time.process_time()
        for key, one in found.measured.items():
            judge(checks[key], one)
        judged = time.process_time()
        with transaction.atomic():
            situation.judged(release, found, at)
            release.save()
        if look:  # the first reads all that there is
            reading.append(measured - began)
            judging.append(judged - measured)
            storing.append(time.process_time() - judged)
    return reading, judging, storing


def _tell(release: Any, numbers: range) -> None:
    from flags.engine.sketch import Sketch
    from releases.telemetry.models import OutcomeBucket

    requests = OUTCOMES // BUCKETS // 2
    sketch = Sketch.of([20.0 + 9 * one for one in range(100)])
    times = requests // sketch.total
    durations = {bucket: count * times for bucket, count in sketch.dump().items()}
    OutcomeBucket.objects.bulk_create(
        OutcomeBucket(
            environment=release.environment,
            about="service",
            name="shop",
            version=version,
            start=release.entered_at + timedelta(seconds=10 * number),
            requests=requests,
            errors=60 + number % 7,
            durations=durations,
        )
        for number in numbers
        for version in ("2.0", "baseline")
    )


if __name__ == "__main__":
    _main(sys.argv[1])
