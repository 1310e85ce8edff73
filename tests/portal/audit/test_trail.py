"""The trail in the database: what keeps it whole, and what shows when it is not."""

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from portal.audit import chain, selectors, services
from portal.audit.chain import FIELDS, Fault
from portal.audit.models import AuditEvent, ChainHead
from portal.audit.services import OutsideTransaction
from portal.lib.journal import Entry
from tests.portal.audit.conftest import ALICE, entry, record
from tests.support import append_only, concurrently

pytestmark = pytest.mark.postgresql

REFUSED: dict[str, list[str]] = {
    "sqlite": [
        "UPDATE audit_auditevent SET actor = 'bob'",
        "DELETE FROM audit_auditevent",
        "REPLACE INTO audit_auditevent SELECT * FROM audit_auditevent WHERE sequence = 3",
        "INSERT INTO audit_auditevent SELECT * FROM audit_auditevent WHERE sequence = 3 "
        "ON CONFLICT (sequence) DO UPDATE SET actor = 'bob'",
    ],
    "postgresql": [
        "UPDATE audit_auditevent SET actor = 'bob'",
        "DELETE FROM audit_auditevent",
        "TRUNCATE audit_auditevent",
        "INSERT INTO audit_auditevent SELECT * FROM audit_auditevent WHERE sequence = 3 "
        "ON CONFLICT (sequence) DO UPDATE SET actor = 'bob'",
    ],
}
OTHERWISE: dict[str, object] = {
    "at": "2026-01-01T00:00:00Z",
    "version": 4,
    "change_request": 13,
    **{
        name: "otherwise"
        for name in FIELDS
        if name not in ("sequence", "at", "version", "change_request")
    },
}


def rewrite(sequence: int, **values: object) -> None:
    """What only someone can do who has power over the database itself."""
    with append_only.lifted():
        AuditEvent.objects.filter(sequence=sequence).update(**values)


def test_record__an_entry__is_kept_whole(trail: None) -> None:
    row = AuditEvent.objects.get(sequence=3)
    assert (row.event, row.actor_kind, row.actor_id, row.actor) == (
        "flag.enabled",
        "user",
        ALICE.id,
        "alice",
    )
    assert (row.project, row.environment, row.subject_kind, row.subject) == (
        "shop",
        "production",
        "flag",
        "third",
    )
    assert row.before_document == {"enabled": False}
    assert row.after_document == {"enabled": True, "name": "Käse & 🧀"}
    assert (row.version, row.reason) == (3, "the day has come")
    assert (row.request_id, row.ip, row.user_agent) == ("a-request", "192.0.2.7", "a browser")
    assert (row.change_request, row.requested_by) == (12, "bob")
    assert row.approvers == ["erin", "frank"]
    assert (row.part_of_kind, row.part_of) == ("segment", "beta testers")


def test_record__nothing_before__leaves_no_document(db: None) -> None:
    with transaction.atomic():
        services.record(Entry(event="x.y", actor=ALICE, subject_kind="flag", subject="a"))
    row = AuditEvent.objects.get()
    assert (row.before_document, row.after_document) == (None, None)


def test_chain__as_written__holds(trail: None) -> None:
    assert AuditEvent.objects.count() == 5
    assert selectors.chain_fault() is None


def test_chain__nothing_written_yet__holds(db: None) -> None:
    assert selectors.chain_fault() is None


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "sequence"])
def test_chain__any_field_edited__names_the_row(trail: None, field: str) -> None:
    rewrite(3, **{field: OTHERWISE[field]})
    assert selectors.chain_fault() == Fault(3, "its content does not match its hash")


NOTHING_LATER = {"requested_by": "", "approved_by": "", "change_request": None} | {
    "part_of_kind": "",
    "part_of": "",
}


def test_chain__who_agreed_taken_out__names_the_row(trail: None) -> None:
    rewrite(3, **NOTHING_LATER)
    assert selectors.chain_fault() == Fault(3, "its content does not match its hash")


def test_chain__who_agreed_put_in__names_the_row(db: None) -> None:
    with transaction.atomic():
        services.record(Entry(event="x.y", actor=ALICE, subject_kind="flag", subject="a"))
    assert selectors.chain_fault() is None
    for name, value in NOTHING_LATER.items():
        rewrite(1, **{name: OTHERWISE[name]})
        assert selectors.chain_fault() == Fault(1, "its content does not match its hash")
        rewrite(1, **{name: value})
    assert selectors.chain_fault() is None


def test_chain__row_deleted__names_the_row(trail: None) -> None:
    with append_only.lifted():
        AuditEvent.objects.filter(sequence=3).delete()
    assert selectors.chain_fault() == Fault(3, "missing: row 4 follows row 2")


def test_chain__last_rows_deleted__names_the_first_of_them(trail: None) -> None:
    with append_only.lifted():
        AuditEvent.objects.filter(sequence__gte=4).delete()
    assert selectors.chain_fault() == Fault(4, "missing: the chain went on to row 5")


def test_chain__emptied__names_row_1(trail: None) -> None:
    with append_only.lifted():
        AuditEvent.objects.all().delete()
    assert selectors.chain_fault() == Fault(1, "missing: the chain went on to row 5")


def test_chain__row_inserted_without_the_key__names_the_row(trail: None) -> None:
    """Adding is allowed to all; making it hold takes the key."""
    last = AuditEvent.objects.get(sequence=5)
    values = [getattr(last, name) for name in FIELDS]
    forged = chain.link(b"a guess".ljust(32), last.hash, chain.canonical([6, *values[1:]]))
    last.sequence, last.previous_hash, last.hash = 6, last.hash, forged
    last.save(force_insert=True)
    assert selectors.chain_fault() == Fault(6, "its content does not match its hash")


def test_chain__row_inserted_in_the_middle__names_the_row(trail: None) -> None:
    with append_only.lifted():
        for row in AuditEvent.objects.filter(sequence__gte=3).order_by("-sequence"):
            AuditEvent.objects.filter(pk=row.pk).update(sequence=row.sequence + 1)
        inserted = AuditEvent.objects.get(sequence=2)
        inserted.sequence = 3
        inserted.save(force_insert=True)
    fault = selectors.chain_fault()
    assert fault
    assert fault.sequence == 3


def test_chain__two_rows_swapped__names_the_first_of_them(trail: None) -> None:
    with append_only.lifted():
        for old, new in ((2, 99), (3, 2), (99, 3)):
            AuditEvent.objects.filter(sequence=old).update(sequence=new)
    fault = selectors.chain_fault()
    assert fault
    assert fault.sequence == 2


def test_chain__hash_replaced_by_a_matching_guess__names_the_next_row(trail: None) -> None:
    """Even with the key, one row alone cannot be rewritten."""
    row = AuditEvent.objects.get(sequence=3)
    row.actor = "bob"
    values = [getattr(row, name) for name in FIELDS]
    forged = chain.link(settings.AUDIT_KEY, row.previous_hash, chain.canonical(values))
    rewrite(3, actor="bob", hash=forged)
    assert selectors.chain_fault() == Fault(4, "does not continue the row before it")


def test_chain__head_points_at_another_row__is_a_fault(trail: None) -> None:
    ChainHead.objects.update(hash="0" * 64)
    assert selectors.chain_fault() == Fault(5, "another row stood here when the chain was anchored")


def test_triggers__statements_that_rewrite_history__are_refused(trail: None) -> None:
    for statement in REFUSED[connection.vendor]:
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert AuditEvent.objects.filter(actor="alice").count() == 5
    assert selectors.chain_fault() is None


def test_triggers__after_having_been_lifted_by_a_test__are_back(trail: None) -> None:
    with append_only.lifted():
        AuditEvent.objects.filter(sequence=5).update(actor="bob")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.filter(sequence=4).update(actor="bob")


@pytest.mark.django_db(transaction=True)
def test_record__outside_a_transaction__is_refused() -> None:
    with pytest.raises(OutsideTransaction):
        services.record(entry())
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_record__transaction_undone__leaves_nothing() -> None:
    record()
    with transaction.atomic():
        services.record(entry())
        transaction.set_rollback(True)
    record()
    assert AuditEvent.objects.count() == 2
    assert selectors.chain_fault() is None


@pytest.mark.django_db(transaction=True)
def test_record__many_at_once_from_the_very_first_row__makes_one_chain() -> None:
    def five() -> None:
        for _ in range(5):
            record()

    assert concurrently.run(five, five, five, five) == [None] * 4
    assert AuditEvent.objects.count() == 20
    assert selectors.chain_fault() is None


def test_verifyaudit__chain_holds__says_how_many_rows(
    trail: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("verifyaudit")
    assert capsys.readouterr().out == "the chain holds: 5 rows\n"


def test_verifyaudit__row_edited__exits_1_and_names_it(
    trail: None, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(4, reason="another reason")
    with pytest.raises(SystemExit) as ended:
        call_command("verifyaudit")
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "row 4: its content does not match its hash\n")
