"""One set of filters: the same rows on the page, in the count, in both exports and in the API."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from portal.access.models import User
from portal.audit import history, selectors
from portal.audit.filters import Filters, parse
from portal.audit.models import AuditEvent
from portal.lib import journal
from portal.lib.journal import Agreed, Entry
from tests.portal.audit_web.conftest import exported, record, rows_of, sequences
from tests.support import append_only
from tests.support.people import SETTING_UP

pytestmark = [pytest.mark.postgresql, pytest.mark.usefixtures("past")]
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
API = "/api/v1/projects/shop/history"

QUERIES: dict[str, dict[str, Any]] = {
    "environment=production": {"environment": "production"},
    "subject=new-checkout": {"subject": "new-checkout"},
    "subject=shop&kind=project": {"subject": "shop", "subject_kind": "project"},
    "actor=dana": {"actor": "dana"},
    "event=flag.disabled": {"event": "flag.disabled"},
    "environment=production&actor=dana": {"environment": "production", "actor": "dana"},
    "request=a-request": {"request_id": "a-request"},
    "event=no.such": {"event": "no.such"},
    "text=incident": {"reason__contains": "incident"},
    "text=INCID": {"reason__contains": "incident"},
    "text=käse 4711": {"reason__contains": "4711"},
    "text=dana&environment=staging": {"actor": "dana", "environment": "staging"},
    "text=new-checkout&actor=dana&event=flag.disabled": {"subject": "new-checkout"},
    "text=zebra": {"event": "no.such"},
    "period=24h": {},
    "from=2020-01-01&to=2020-12-31": {"event": "no.such"},
}


@pytest.mark.parametrize("query", QUERIES)
def test_page_count_exports_and_api__same_filters__have_the_same_rows(
    alice_client: Client, api_headers: dict[str, str], query: str
) -> None:
    up_to = history.newest_sequence()
    rows = AuditEvent.objects.filter(project="shop", sequence__lte=up_to, **QUERIES[query])
    expected = list(rows.values_list("sequence", flat=True))
    assert sequences(alice_client, query) == expected
    filters = parse_query(query, NOW if "2020" in query else datetime.now(UTC))
    assert history.count(filters) == history.Count(len(expected), True)
    # The script's key is for production: of other environments it reads nothing.
    reached = rows.filter(environment__in=("", "production"))
    answer = alice_client.get(f"{API}?{query}", headers=api_headers)
    if "staging" in query:
        assert answer.status_code == 403
    else:
        found = [event["sequence"] for event in answer.json()["events"]]
        assert found == list(reached.values_list("sequence", flat=True))
        said = [answer.json()[name] for name in ("count", "count_is_exact", "next")]
        assert said == [len(found), True, None]
    oldest_first = expected[::-1]
    found = rows_of(exported(alice_client, query))
    assert [row["sequence"] for row in found if int(str(row["sequence"])) <= up_to] == oldest_first
    table = list(csv.reader(io.StringIO(exported(alice_client, query, "csv").decode())))[1:-1]
    assert [int(row[0]) for row in table if int(row[0]) <= up_to] == oldest_first


def parse_query(query: str, now: datetime) -> Any:
    given = dict(part.split("=") for part in query.split("&"))
    read = parse(given, project="shop", now=now)
    assert read.problems == {}
    return read.filters


@pytest.mark.parametrize(
    ("query", "since", "until"),
    [
        ({"period": "7d"}, NOW - timedelta(days=7), None),
        ({"from": "2026-03-01"}, datetime(2026, 3, 1, tzinfo=UTC), None),
        ({"to": "2026-03-01"}, None, datetime(2026, 3, 2, tzinfo=UTC)),
        (
            {"from": "2026-03-29", "to": "2026-03-29", "zone": "Europe/Berlin"},
            datetime(2026, 3, 28, 23, tzinfo=UTC),
            datetime(2026, 3, 29, 22, tzinfo=UTC),
        ),
        ({"from": "2026-03-01 14:30"}, datetime(2026, 3, 1, 14, 30, tzinfo=UTC), None),
        ({"from": "2026-03-01T14:30:00+02:00"}, datetime(2026, 3, 1, 12, 30, tzinfo=UTC), None),
    ],
)
def test_parse__a_period__is_that_of_the_readers_zone(
    query: dict[str, str], since: datetime | None, until: datetime | None
) -> None:
    read = parse(query, project="shop", now=NOW)
    assert (read.filters.since, read.filters.until, read.problems) == (since, until, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", "yesterday"),
        ("from", "2026-02-30"),
        ("from", "9999-12-31T23:59:59-23:00"),
        ("to", "9999-12-31"),
        ("zone", "Atlantis/Harbour"),
        ("zone", "../../etc/passwd"),
        ("period", "90d"),
        ("text", "!?"),
        ("text", "a " * 50),
        ("text", "x" * 10_000),
        ("actor", "x" * 10_000),
        ("event", "\ud800"),
    ],
)
def test_parse__what_cannot_be_used__is_one_sentence_beside_the_field(
    name: str, value: str
) -> None:
    read = parse({name: value}, project="shop", now=NOW)
    assert list(read.problems) == [name]
    assert read.problems[name].endswith(".")


def test_parse__an_end_before_the_start__is_said_at_the_end() -> None:
    query = {"from": "2026-03-02", "to": "2026-03-01"}
    assert list(parse(query, project="shop", now=NOW).problems) == ["to"]


def test_period__clock_was_set_back__loses_no_row(dana: User) -> None:
    """Rows 2 h in the future, written before the clock was mended."""
    record(dana, 3)
    ahead = list(AuditEvent.objects.values_list("sequence", flat=True)[:3])
    moment = datetime.now(UTC) + timedelta(hours=2)
    with append_only.lifted():
        AuditEvent.objects.filter(sequence__in=ahead).update(at=moment)
    record(dana, 2)
    query = {"from": (moment - timedelta(minutes=1)).isoformat()}
    read = parse(query, project="shop", now=NOW)
    found = history.page(read.filters).events
    assert [event.sequence for event in found] == ahead


@pytest.mark.parametrize(
    "name",
    ["İlker", "ΟΔΟΣ", "cafe\u0301 bar", "हिन्दी", "bot🤖", "山田", "²x", "\u19b0\u19b1", "a_b-c.d"],
)
def test_a_name_in_any_script__is_found_by_who_asked_who_approved_and_words(
    db: None, name: str
) -> None:
    agreed = Agreed(1, name, (name, "x"))
    with transaction.atomic():
        journal.write(
            Entry("flag.enabled", SETTING_UP, "flag", name, "shop", reason="a", agreed=agreed)
        )
    for narrowing in (
        {"approved_by": name},
        {"requested_by": name},
        {"subject": name, "text": "a"},
    ):
        filters = Filters(project="shop", **narrowing)  # type: ignore[arg-type]
        assert [one.subject for one in history.page(filters).events] == [name], narrowing
    said = parse({"text": name}, project="shop", now=NOW)
    assert bool(said.problems) or history.page(said.filters).events[0].subject == name
    assert selectors.chain_fault() is None
