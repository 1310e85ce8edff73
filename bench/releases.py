"""A thousand releases on one worker: whether they are looked at in time, and what a look costs; and
the page of one with a million measurements."""

import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench import lines_of, start_django

RELEASES = int(os.environ.get("BENCH_RELEASES", "1000"))
MEASUREMENTS = int(os.environ.get("BENCH_MEASUREMENTS", "1000000"))
WATCHED_S = int(os.environ.get("BENCH_RELEASES_S", "60"))
OF_A_PROJECT = 400
PAGES = 20


def run() -> list[str]:
    """Measure on SQLite, and on PostgreSQL where it is installed; the lines of Markdown tables."""
    from tests.support import postgres

    lines = [*_measured("SQLite", None)]
    binaries = postgres.find_binaries()
    if binaries:
        with postgres.running(binaries) as url, postgres.database(url, "aviary") as own:
            lines += ["", *_measured("PostgreSQL", own)]
    return lines


def _measured(name: str, url: str | None) -> list[str]:
    return lines_of("bench.releases", name, **({"DATABASE_URL": url} if url else {}))


def _main(name: str) -> None:
    start_django()
    print(json.dumps(list(_measure(name))))


def _measure(name: str) -> Iterator[str]:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    _begin()
    late = sorted(_look())
    yield f"{name}: {RELEASES:,} releases that move, one worker, {WATCHED_S} s"
    yield ""
    yield "| of each look | p50 | p99 | slowest |"
    yield "| --- | ---: | ---: | ---: |"
    for title, column in (
        ("later than due", late),
        ("time in all", sorted(_costs)),
        ("time in the database", sorted(_database)),
    ):
        figures = (column[len(column) // 2], column[int(len(column) * 0.99)], column[-1])
        yield f"| {title} | " + " | ".join(f"{1000 * one:.1f} ms" for one in figures) + " |"
    yield f"| looks a second | {len(late) / WATCHED_S:.0f} | | |"
    yield ""
    yield _page()


def _begin() -> None:
    """Releases of services that are routed by flags of their own, each at its first step."""
    from portal.access.services import create_project
    from portal.lib import journal
    from portal.lib.journal import Intent
    from releases.core.starting import plan_and_start

    by = Intent(journal.system("bench"))
    plan = {"steps": [{"share": 5, "soak_s": 3600}, {"share": 100}]}
    artefact = {"version": "2.0", "digest": "sha256:" + "a" * 64}
    projects = [
        create_project(key=f"shop-{number}", name="Shop", intent=by)
        for number in range(RELEASES // OF_A_PROJECT + 1)
    ]
    for number in range(RELEASES):
        project, key = projects[number // OF_A_PROJECT], f"service-{number}"
        place = project.environments.get(key="development")
        _set_up(key, place, by)
        document = {"service": key, "strategy": "canary", "plan": plan, "artefact": artefact}
        plan_and_start(project=project, environment=place, document=document, intent=by)


def _set_up(key: str, place: Any, by: Any) -> None:
    """A service and the flag by which it is routed, both of that key."""
    from flags.core import configurations, definitions
    from releases.catalogue import services

    project = place.project
    variants = [{"key": one, "value": one} for one in ("blue", "green")]
    definition = {"key": key, "value_type": "string", "variants": variants}
    flag = definitions.create_flag(project=project, document=definition, intent=by)
    current = flag.configurations.get(environment=place)
    serves = {"enabled": True, "fallthrough": {"variant": "blue"}}
    configurations.save_configuration(
        flag=flag,
        environment=place,
        document=current.document | serves,
        expected_version=current.version,
        intent=by,
    )
    service = services.put_service(project=project, key=key, name=key, owners=[], intent=by)
    setup = {
        "router": {"kind": "flag", "flag": key, "variants": ["blue", "green"]},
        "checks": [{"key": "errors", "kind": "error_rate", "threshold": 5}],
    }
    services.put_setup(service=service, environment=place, document=setup, intent=by)


_costs: list[float] = []
_database: list[float] = []


def _look() -> Iterator[float]:
    """What the worker's lane does, for a while: how late each release is looked at. Every release
    gets outcomes once in the meantime, a share of them at a time."""
    from django.db import connection

    from portal.lib import clock
    from releases.core import runner
    from releases.core.models import Release

    places = dict(Release.objects.values_list("service__key", "environment"))
    one, spent = runner.ReleaseRunner(), [0.0]

    def timed(execute: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            spent[0] += time.perf_counter() - began

    runner.tick_due()
    until, told = time.monotonic() + WATCHED_S, 0
    while time.monotonic() < until:
        now = clock.database_now()
        due = one.find(now)
        with connection.execute_wrapper(timed):
            for release in due:
                assert release.due_at is not None
                spent[0], began = 0.0, time.perf_counter()
                yield (clock.database_now() - release.due_at).total_seconds()
                one.attempt(release)
                _costs.append(time.perf_counter() - began)
                _database.append(spent[0])
        share = RELEASES * 5 // WATCHED_S
        names = [f"service-{number % RELEASES}" for number in range(told, told + share)]
        _report(names, places, now)
        told += share
        ahead = now + timedelta(seconds=5)
        waiting = Release.objects.filter
        while (at := clock.database_now()) < ahead and not waiting(due_at__lte=at).exists():
            time.sleep(0.2)


def _report(names: list[str], places: dict[Any, int], now: datetime) -> None:
    from releases.core import runner
    from releases.telemetry.models import OutcomeBucket

    OutcomeBucket.objects.bulk_create(
        [
            OutcomeBucket(
                environment_id=places[name],
                about="service",
                name=name,
                version="2.0",
                start=now.replace(microsecond=0),
                requests=100,
            )
            for name in names
        ],
        ignore_conflicts=True,
    )
    runner.judge_soon([(places[name], "service", name) for name in names])


def _page() -> str:
    """The live page of one release of which very much was measured."""
    from django.test import Client

    from portal.access.models import User
    from releases.core.models import Measurement, Release

    release = Release.objects.order_by("pk").first()
    assert release is not None
    assert release.started_at is not None
    for start in range(0, MEASUREMENTS, 20_000):
        Measurement.objects.bulk_create(
            Measurement(
                release=release,
                step=0,
                check_key="errors",
                at=release.started_at + timedelta(milliseconds=3 * number),
                verdict="passed",
                value=1,
                requests=100,
            )
            for number in range(start, min(start + 20_000, MEASUREMENTS))
        )
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create(username="auditor", is_superuser=True))
    times = []
    for _round in range(PAGES):
        began = time.perf_counter()
        answer = client.get(f"/p/{release.project.key}/releases/{release.pk}/")
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer
    times.sort()
    return (
        f"The live page of a release with {MEASUREMENTS:,} measurements, server time: "
        f"p50 {1000 * statistics.median(times):.0f} ms, slowest {1000 * times[-1]:.0f} ms"
    )


if __name__ == "__main__":
    _main(sys.argv[1])
