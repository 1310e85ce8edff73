"""The canonical rows as the databases write them themselves."""

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection, transaction

from portal.audit import chain, selectors, services
from portal.audit.chain import FIELDS, Fault
from portal.audit.models import AuditEvent
from portal.lib import clock
from tests.portal.audit.conftest import entry, record
from tests.support import append_only

pytestmark = pytest.mark.postgresql

CONTROLS = "".join(map(chr, [*range(1, 0x20), 0x7F, 0x85, 0xA0, 0x2028, 0xFEFF, 0x1F9C0]))


@pytest.fixture
def two_pages(db: None) -> int:
    """More rows than fit into one query."""
    count = selectors._PAGE + 3
    with transaction.atomic():
        services.record_all(entry(f"flag-{number}") for number in range(count))
    return count


def test_rows__more_than_a_page__come_in_order_and_hold(two_pages: int) -> None:
    sequences = [int(row[0]) for row in selectors.rows(after=0)]
    assert sequences == list(range(1, two_pages + 1))
    assert selectors.chain_fault() is None


def test_rows__between_two__are_those(two_pages: int) -> None:
    assert [row[0] for row in selectors.rows(after=8, up_to=11)] == ["9", "10", "11"]


def test_rows__gap_wider_than_a_page__go_on_behind_it(
    two_pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "_PAGE", 10)
    with append_only.lifted():
        AuditEvent.objects.filter(sequence__gt=5, sequence__lte=900).delete()
    assert [row[0] for row in selectors.rows(after=3, up_to=903)] == ["4", "5", "901", "902", "903"]
    assert selectors.chain_fault() == Fault(6, "missing: row 901 follows row 5")


@pytest.mark.parametrize("text", [CONTROLS, '"\\/\b\f', "", " ", "'", "<&>", "é\u0301"])
def test_rows__any_text__is_written_as_it_was_hashed(db: None, text: str) -> None:
    record(text)
    ((_, content, _, _),) = selectors.rows(after=0)
    (values,) = AuditEvent.objects.values_list(*FIELDS)
    assert content.encode() == chain.canonical(values) == selectors.exactly(1)


def test_rows__time_on_the_second__holds(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's text is a shorter one then, which is seen at a second look."""
    monkeypatch.setattr(clock, "database_now", lambda: datetime(2026, 3, 1, tzinfo=UTC))
    record()
    assert selectors.chain_fault() is None


@pytest.mark.parametrize("value", ["CAST(x'ff' AS TEXT)", "x'ff'", "3"])
def test_chain__what_nobody_can_read_in_sqlite__names_the_row(trail: None, value: str) -> None:
    if connection.vendor != "sqlite":
        value = "'otherwise'"  # PostgreSQL takes nothing but text there
    with append_only.lifted(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_auditevent SET actor = {value} WHERE sequence = 3")
    assert selectors.chain_fault() == Fault(3, "its content does not match its hash")


def test_chain__key_of_another_installation__names_row_1(trail: None) -> None:
    fault = chain.first_fault(selectors.rows(after=0), key=settings.AUDIT_KEY[::-1], anchors={})
    assert fault == Fault(1, "its content does not match its hash")
