"""A trail of many rows to measure on: a chain that holds, about projects of different sizes."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from portal.audit import chain
from portal.audit.models import AuditEvent, ChainHead

Values = tuple[object, ...]
COLUMNS = (*chain.FIELDS, "previous_hash", "hash")
PROJECTS = ["shop", "search", "payments", "mobile", "warehouse", "support", "blog", "labs"]
SHARES = [40, 20, 14, 10, 7, 5, 3, 1]
ENVIRONMENTS = ["production", "staging", "development", "canary"]
EVENTS = {
    "flag.enabled": 20,
    "flag.disabled": 18,
    "flag.targeting_changed": 30,
    "flag.edited": 8,
    "flag.created": 4,
    "flag.archived": 2,
    "user.signed_in": 12,
    "user.signed_out": 4,
    "key.created": 1,
    "key.revoked": 0.5,
    "member.role_set": 0.5,
}
PEOPLE = [f"{name}.{family}" for name in ("ann", "ben", "eva", "jon", "kim", "lea", "max", "zoe")
          for family in ("berg", "cole", "diaz", "fox", "hahn", "king")]  # fmt: skip
THINGS = ["checkout", "banner", "search", "login", "export", "price", "cart", "mail", "video"]
REASONS = ["", "", "", "asked by support", "canary looks good", "incident over", "rollback"]
_BATCH = 10_000


def fill(count: int, *, now: datetime) -> None:
    """Add ``count`` rows of the two years before ``now``; indexes are made anew at the end."""
    with _in_bulk():
        append(count, now=now)


def append(count: int, *, now: datetime) -> None:
    """Add ``count`` rows in large statements, each checked and indexed as any other."""
    dice = random.Random(20)  # noqa: S311 - the same rows each time
    head, _created = ChainHead.objects.get_or_create(pk=1, defaults={"hash": chain.GENESIS})
    last, end = head.hash, head.sequence + count
    for start in range(head.sequence + 1, end + 1, _BATCH):
        sequences = range(start, min(start + _BATCH, end + 1))
        rows, last = _linked(_contents(dice, sequences, end, now), last)
        _insert(rows)
    ChainHead.objects.filter(pk=1).update(sequence=end, hash=last)


def _contents(
    dice: random.Random, sequences: range, count: int, now: datetime
) -> Iterator[tuple[object, ...]]:
    step = timedelta(days=730) / count
    projects = dice.choices(PROJECTS, SHARES, k=len(sequences))
    events = dice.choices(list(EVENTS), list(EVENTS.values()), k=len(sequences))
    for sequence, project, event in zip(sequences, projects, events, strict=True):
        at = now.astimezone(UTC) - step * (count - sequence)
        yield (sequence, at, event, *_content(dice, project, event))


def _content(dice: random.Random, project: str, event: str) -> tuple[object, ...]:
    """The fields from ``actor_kind`` on."""
    number = min(int(dice.expovariate(0.12)), len(PEOPLE) - 1)  # some do most of it
    person, kind = PEOPLE[number], event.partition(".")[0]
    where = (f"{dice.getrandbits(64):016x}", f"10.{number}.4.{number + 7}", "Mozilla/5.0 (X11)")
    if kind == "user":
        rest = (*where, "", "", None, "", "")
        return ("user", str(number), person, "", "", "user", person, None, "", "", "", *rest)
    thing = dice.choice(THINGS)
    environment = dice.choices(ENVIRONMENTS, [35, 25, 39, 1])[0]
    subject = f"{thing}-{int(dice.expovariate(0.05))}"
    before, after = _documents(dice, event)
    reason = dice.choice(REASONS) or (f"INC-{dice.randrange(9000)}" if number % 3 == 0 else "")
    what = (project, environment, kind, subject, dice.randrange(9999), before, after, reason)
    if number % 5:
        return ("user", str(number), person, *what, *where, "", "", None, "", "")
    agreed = (PEOPLE[-number], ", ".join(dice.sample(PEOPLE, 2)), dice.randrange(1, 9999))
    return ("user", str(number), person, *what, *where, *agreed, "", "")


def _documents(dice: random.Random, event: str) -> tuple[str, str]:
    def document(enabled: bool, percent: int) -> str:
        rule = {
            "id": "r1",
            "when": {"attribute": "country", "operator": "in", "values": ["DE", "AT", "CH"]},
            "audience": {"percent": percent},
            "serve": {"variant": "on"},
        }
        whole = {
            "enabled": enabled,
            "fallthrough": {"variant": "off"},
            "off_variant": "off",
            "rules": [rule],
            "salt": "9f2c1b7a",
        }
        return json.dumps(whole, sort_keys=True, separators=(",", ":"))

    enabled, percent = event == "flag.enabled", dice.randrange(100)
    return document(not enabled, percent), document(enabled, dice.randrange(100))


def _linked(contents: Iterator[tuple[object, ...]], last: str) -> tuple[list[Values], str]:
    rows = []
    for content in contents:
        own = chain.link(settings.AUDIT_KEY, last, chain.canonical(content))
        rows.append((*content, last, own))
        last = own
    return rows, last


def _insert(rows: list[Values]) -> None:
    columns = ", ".join(COLUMNS)
    table = AuditEvent._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        places = ", ".join(["%s"] * len(COLUMNS))
        texts: Any = ((row[0], f"{row[1]:%Y-%m-%d %H:%M:%S.%f}", *row[2:]) for row in rows)
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", texts)  # noqa: S608


@contextmanager
def _in_bulk() -> Iterator[None]:
    """Indexes and what triggers keep are made at the end, all at once."""
    around = {"sqlite": _sqlite_objects, "postgresql": _postgresql_objects}[connection.vendor]
    removed = around()
    yield
    with connection.cursor() as cursor:
        for statement in removed:
            cursor.execute(statement)
        for field in ("environment", "actor", "event"):
            cursor.execute(
                f"""INSERT INTO audit_seenname (project, field, name)
                SELECT DISTINCT project, '{field}', {field} FROM audit_auditevent
                WHERE {field} <> ''"""  # noqa: S608 - our own words
            )
        if connection.vendor == "sqlite":
            cursor.execute("INSERT INTO audit_search (audit_search) VALUES ('rebuild')")
        else:
            cursor.execute("VACUUM ANALYZE audit_auditevent")


def _sqlite_objects() -> list[str]:
    """Drop the table's indexes and triggers; returns what makes them again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'audit_auditevent' "
            "AND type IN ('index', 'trigger') AND sql IS NOT NULL"
        )
        found: list[Any] = cursor.fetchall()
        for kind, name, _sql in found:
            cursor.execute(f"DROP {kind} {name}")
    return [sql for _kind, _name, sql in found]


def _postgresql_objects() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'audit_auditevent' "
            "AND indexname NOT LIKE '%%pkey'",
            [],
        )
        found: list[Any] = cursor.fetchall()
        for name, _definition in found:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER USER")
    return [
        *(definition for _name, definition in found),
        "ALTER TABLE audit_auditevent ENABLE TRIGGER USER",
    ]
