"""The history of a million rows: how fast its pages are, its exports, and a walk of the chain."""

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench import lines_of, start_django
from portal.lib.journal import Intent

ROWS = int(os.environ.get("BENCH_HISTORY_ROWS", "1000000"))
ROUNDS = 20
_DAY = (datetime.now(UTC) - timedelta(days=200)).date().isoformat()
QUERIES = {
    "no filter": "",
    "environment": "environment=production",
    "flag": "subject=cart-3",
    "person": "actor=ann.berg",
    "person who did little": "actor=zoe.king",
    "event": "event=flag.enabled",
    "who asked": "requested_by=zoe.king",
    "who approved": "approved_by=ben.fox",
    "last 30 days": "period=30d",
    "one day": f"from={_DAY}&to={_DAY}",
    "word": "text=checkout",
    "rare word": "text=INC 4711",
    "two words": "text=checkout rollback",
    "last 30 days of production": "environment=production&period=30d",
    "environment, person, event": "environment=production&actor=kim.cole&event=key.revoked",
    "word, person, environment": "text=incident&actor=ben.fox&environment=canary",
    "everything at once": "environment=production&actor=ann.berg&event=flag.enabled&text=cart"
    "&subject=cart-3&period=30d",
    "nothing matches": "environment=production&actor=nobody",
    "page in the middle": "before=500000",
}


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
    """In a process of its own, so that memory is that of one database's work."""
    return lines_of("bench.history", name, **({"DATABASE_URL": url} if url else {}))


def _main(name: str) -> None:
    start_django()
    print(json.dumps(list(_measure(name))))


def _measure(name: str) -> Iterator[str]:
    from django.core.management import call_command

    from bench import trail
    from portal.lib import clock

    started = time.perf_counter()
    call_command("migrate", verbosity=0)
    trail.fill(ROWS, now=clock.now())
    built = time.perf_counter() - started
    yield f"{name}: {ROWS:,} rows of history, built in {built:.0f} s"
    yield ""
    yield "| page of 50, server time | p50 | p95 | slowest |"
    yield "| --- | ---: | ---: | ---: |"
    yield from _pages()
    yield ""
    yield _export()
    yield _verification()
    yield _writing()


def _pages() -> Iterator[str]:
    from django.test import Client

    from portal.access.models import User
    from portal.access.services import create_project
    from portal.lib import journal

    create_project(key="shop", name="Shop", intent=Intent(journal.system("bench")))
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create(username="auditor", is_superuser=True))
    for place in ("/p/shop/history/", "/history/"):
        of = "a project" if "/p/" in place else "the site"
        for title, query in QUERIES.items():
            times = sorted(_time(client, f"{place}?{query}") for _round in range(ROUNDS))
            p95 = times[int(ROUNDS * 0.95) - 1]
            figures = (statistics.median(times), p95, times[-1])
            yield (
                f"| {of}: {title} | " + " | ".join(f"{one * 1000:.0f} ms" for one in figures) + " |"
            )


def _time(client: object, address: str) -> float:
    started = time.perf_counter()
    response = client.get(address)  # type: ignore[attr-defined]
    taken = time.perf_counter() - started
    if response.status_code != 200:
        raise RuntimeError(f"{address}: {response.status_code}")
    return taken


def _export() -> str:
    from portal.audit import exports
    from portal.audit.filters import Filters
    from portal.lib import journal

    parts = []
    for kind in exports.FORMATS:
        before, started = _peak_kib(), time.perf_counter()
        export = exports.start_export(
            filters=Filters(), format_name=kind, intent=Intent(journal.system("bench"))
        )
        size = sum(map(len, export.pieces))
        rate = ROWS / (time.perf_counter() - started)
        grown = (_peak_kib() - before) / 1024
        parts.append(f"{kind} {rate:,.0f} rows/s ({size / 1e6:,.0f} MB, memory + {grown:.1f} MiB)")
    return f"Export of everything: {'; '.join(parts)}; peak memory {_peak_kib() / 1024:.0f} MiB."


def _verification() -> str:
    from portal.audit import selectors

    started = time.perf_counter()
    fault = selectors.chain_fault()
    if fault:
        raise RuntimeError(f"the chain does not hold: {fault}")
    return f"Verification: {ROWS / (time.perf_counter() - started):,.0f} rows/s."


def _writing() -> str:
    from django.db import transaction

    from portal.lib import journal
    from portal.lib.journal import Entry

    entry = Entry(
        event="flag.enabled",
        actor=journal.system("bench"),
        subject_kind="flag",
        subject="cart-3",
        project="shop",
        environment="production",
        reason="canary looks good, INC-4711",
    )
    started = time.perf_counter()
    with transaction.atomic():
        journal.write_all([entry] * 5000)
    each = (time.perf_counter() - started) / 5000
    return f"Recording, all indexes and words included: {each * 1e6:.0f} µs a row."


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    _main(sys.argv[1])
