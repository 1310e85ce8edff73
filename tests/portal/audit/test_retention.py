"""Letting old rows go: only through the door, and so that the chain still verifies."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as live
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from portal.audit import chain, selectors, services, tasks
from portal.audit.chain import Fault
from portal.audit.models import AuditEvent, ChainHead, PurgeFloor
from portal.audit.services import NothingMayGo, TrailBroken
from portal.lib import clock, journal
from portal.lib.journal import Entry, Intent
from tests.portal.audit import exports
from tests.portal.audit.conftest import record
from tests.support import append_only

pytestmark = pytest.mark.postgresql

SYSTEM = journal.system("retention")
LATER = timedelta(days=40)


@pytest.fixture
def thirty_days(settings: Settings) -> None:
    settings.AUDIT_RETENTION_DAYS = 30


@pytest.fixture
def purged(trail: None, thirty_days: None) -> None:
    """Rows 1 to 5 are gone, row 6 says so, row 7 came later."""
    services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER))
    record("seventh")


def sequences() -> list[int]:
    return list(AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True))


def forge_event(last: int, key: bytes = b"a guess".ljust(32)) -> AuditEvent:
    """Append an event that says rows up to ``last`` were purged, as well as can be without us."""
    gone = AuditEvent.objects.get(sequence=last)
    head = ChainHead.objects.get()
    with transaction.atomic():
        after = {"last_sequence": last, "last_hash": gone.hash, "rows": last}
        kind, subject = selectors.TRAIL_KIND, selectors.TRAIL
        services.record(Entry(selectors.PURGED, SYSTEM, kind, subject, after=after))
    event = AuditEvent.objects.get(sequence=head.sequence + 1)
    content = chain.canonical([getattr(event, name) for name in chain.FIELDS])
    event.hash = chain.link(key, head.hash, content)
    with append_only.lifted():
        event.save(force_update=True)
    ChainHead.objects.update(hash=event.hash)
    return event


def open_the_door(sequence: int, event: AuditEvent) -> None:
    PurgeFloor.objects.update_or_create(
        pk=1, defaults={"sequence": sequence, "event_sequence": event.sequence}
    )


def test_purge__old_rows__go_and_an_event_says_which(trail: None, thirty_days: None) -> None:
    last = AuditEvent.objects.get(sequence=5)
    assert services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER)) == 5
    (event,) = AuditEvent.objects.all()
    assert (event.sequence, event.event, event.actor) == (6, "audit.purged", "retention")
    assert event.after_document
    assert event.after_document["last_sequence"] == 5
    assert event.after_document["last_hash"] == last.hash
    assert selectors.chain_fault() is None


def test_purge__rows_young_enough__stay(trail: None, thirty_days: None) -> None:
    assert services.purge(intent=Intent(SYSTEM)) == 0
    assert sequences() == [1, 2, 3, 4, 5]


def test_purge__some_old_and_some_young__keeps_the_young(
    trail: None, thirty_days: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "database_now", lambda: clock.now() + LATER)
    record("sixth")
    assert services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER)) == 5
    assert sequences() == [6, 7]
    assert selectors.chain_fault() is None


def test_purge__more_than_a_batch__goes_batch_by_batch(
    trail: None, thirty_days: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "BATCH", 2)
    services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER))
    assert selectors.chain_fault() is None
    assert AuditEvent.objects.exclude(event="audit.purged").count() == 0


def test_purge__nothing_left_but_its_own_event__leaves_no_other(purged: None) -> None:
    services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER))
    before = sequences()
    assert services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER)) == 0
    assert sequences() == before


def test_purge__afterwards__is_anchored(
    purged: None, anchor_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert anchor_file.read_text().count("\n") == 1
    call_command("verifyaudit")
    assert capsys.readouterr().out == (
        "the chain holds: 2 rows, from row 6, those before it were purged, through 1 of 1 anchors\n"
    )


def test_purge__anchors_from_before__still_count_where_they_can(
    trail: None, thirty_days: None, anchor_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    services.anchor_head(now=clock.now())
    services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER))
    call_command("verifyaudit")
    assert "through 2 of 2 anchors" in capsys.readouterr().out
    assert selectors.chain_fault({5: "0" * 64}) == Fault(5, chain.ANOTHER_ROW)


def test_purge__for_ever__is_refused(trail: None) -> None:
    assert live.AUDIT_RETENTION_DAYS == 0
    with pytest.raises(NothingMayGo, match="AUDIT_RETENTION_DAYS"):
        services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER))
    with pytest.raises(CommandError, match="AUDIT_RETENTION_DAYS"):
        call_command("purgeaudit")
    tasks.purge()
    assert sequences() == [1, 2, 3, 4, 5]


def test_purge__command_and_task__say_who(
    trail: None, thirty_days: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = clock.now() + LATER
    monkeypatch.setattr(clock, "database_now", lambda: late)
    call_command("purgeaudit")
    record("another")
    late += LATER
    tasks.purge()
    event = AuditEvent.objects.get()
    assert event.actor == "retention"


def test_purge__row_that_should_go_was_edited__leaves_everything(
    trail: None, thirty_days: None
) -> None:
    with append_only.lifted():
        AuditEvent.objects.filter(sequence=2).update(actor="bob")
    with pytest.raises(TrailBroken, match="row 2 of the audit trail: its content"):
        services.purge(intent=Intent(SYSTEM, at=clock.now() + LATER))
    assert sequences() == [1, 2, 3, 4, 5]


def test_forged_purge__event_without_the_key__names_row_1(trail: None) -> None:
    """Every row and trigger obeyed; the event alone is not ours."""
    event = forge_event(3)
    open_the_door(3, event)
    AuditEvent.objects.filter(sequence__lte=3).delete()
    assert selectors.chain_fault() == Fault(1, "missing: row 4 follows row 0")


def test_forged_purge__door_opened_further_than_the_event_says__names_the_first_row(
    purged: None,
) -> None:
    with append_only.lifted():
        PurgeFloor.objects.update(sequence=6, event_sequence=7)
    AuditEvent.objects.filter(sequence=6).delete()
    fault = selectors.chain_fault()
    assert fault == Fault(1, "missing: row 7 follows row 0")


def test_forged_purge__old_rows_put_back_or_made_up__are_named(purged: None) -> None:
    event = AuditEvent.objects.get(sequence=7)
    event.sequence = 3
    with append_only.lifted():
        event.save(force_insert=True)
    assert selectors.chain_fault() == Fault(3, "stands where rows up to 5 were purged")


def test_forged_purge__its_real_event_deleted__is_a_fault(purged: None) -> None:
    with append_only.lifted():
        AuditEvent.objects.filter(sequence=6).delete()
    assert selectors.chain_fault() == Fault(1, "missing: row 7 follows row 0")


DELETE = "DELETE FROM audit_auditevent WHERE sequence = {}"
FLOOR = "INSERT INTO audit_purgefloor (id, sequence, event_sequence) VALUES (1, {}, {})"
MOVED = "UPDATE audit_purgefloor SET sequence = {}, event_sequence = {}"


def is_refused(statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize("statement", [DELETE.format(1), FLOOR.format(3, 5), FLOOR.format(3, 99)])
def test_door__no_purge_took_place__is_shut(trail: None, statement: str) -> None:
    is_refused(statement)


@pytest.mark.parametrize(
    "statement",
    [
        *(DELETE.format(6), DELETE.format(7), MOVED.format(6, 7), MOVED.format(4, 6)),
        *(MOVED.format(6, 6), MOVED.format(5, 6), "DELETE FROM audit_purgefloor"),
    ],
)
def test_door__after_a_purge__lets_nothing_more_through(purged: None, statement: str) -> None:
    is_refused(statement)


def test_door__row_below_the_floor__cannot_be_put_back(purged: None) -> None:
    event = AuditEvent.objects.get(sequence=7)
    event.sequence = 3
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        event.save(force_insert=True)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_export__after_a_purge__verifies(purged: None, tmp_path: Path, kind: str) -> None:
    status, said, _ = exports.verify(exports.export(tmp_path, kind), key=live.AUDIT_KEY)
    assert (status, said.startswith("2 rows")) == (0, True)
