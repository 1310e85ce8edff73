"""What holds for every write: permission, one version, one audit row, all of it or nothing."""

import pytest
from django.db import IntegrityError

from portal.access.models import EnvironmentChange, User
from portal.audit import selectors as audit
from portal.audit.models import AuditEvent, ChainHead
from portal.lib import journal
from portal.lib.errors import Forbidden
from portal.lib.journal import Entry, JournalMissing
from tests.support.desk import WRITES, Desk, Write
from tests.support.rows import everything_kept

pytestmark = pytest.mark.postgresql

every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())


def versions(desk: Desk) -> dict[str, int]:
    return dict(desk.flag.project.environments.values_list("key", "version"))


@every_write
def test_write__alice__is_one_version_one_change_and_one_audit_row(
    desk: Desk, alice: User, write: Write
) -> None:
    write.first(desk, alice)
    before, rows = versions(desk), AuditEvent.objects.count()
    seen = set(EnvironmentChange.objects.values_list("pk", flat=True))
    write.run(desk, alice)
    changed = set(before) if write.everywhere else {"production"}
    assert versions(desk) == {key: v + (key in changed) for key, v in before.items()}
    (event,) = AuditEvent.objects.filter(sequence__gt=rows)
    assert (event.event, event.actor, event.subject_kind) == (write.event, "alice", "flag")
    assert event.environment == ("" if write.everywhere else "production")
    changes = EnvironmentChange.objects.exclude(pk__in=seen).select_related("environment")
    assert {(c.environment.key, c.version, c.kind, c.key) for c in changes} == {
        (key, before[key] + 1, "flag", event.subject) for key in changed
    }
    assert audit.chain_fault() is None


@every_write
def test_write__dana_the_editor__may(desk: Desk, dana: User, write: Write) -> None:
    write.first(desk, dana)
    write.run(desk, dana)
    event = AuditEvent.objects.first()
    assert event
    assert (event.event, event.actor) == (write.event, "dana")


@every_write
@pytest.mark.parametrize("person", ["bob", "charlie"])
def test_write__who_may_not__is_forbidden_and_changes_nothing(
    desk: Desk, alice: User, charlie: User, write: Write, person: str
) -> None:
    write.first(desk, alice)
    before = everything_kept()
    with pytest.raises(Forbidden):
        write.run(desk, User.objects.get(username=person))
    assert everything_kept() == before


@every_write
def test_write__audit_trail_takes_nothing__changes_nothing(
    desk: Desk, alice: User, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_entry: Entry) -> None:
        raise RuntimeError("the audit trail takes nothing")

    write.first(desk, alice)
    before = everything_kept()
    monkeypatch.setattr(journal, "_recorder", refuse)
    with pytest.raises(RuntimeError, match="takes nothing"):
        write.run(desk, alice)
    assert everything_kept() == before


@pytest.mark.django_db(transaction=True)
@every_write
def test_write__audit_row_refused_by_the_database__is_not_committed(
    desk: Desk, alice: User, write: Write
) -> None:
    """The chain's head was set back by somebody, so that the next row's place is taken."""
    write.first(desk, alice)
    ChainHead.objects.update(sequence=1)
    before = everything_kept()
    with pytest.raises(IntegrityError):
        write.run(desk, alice)
    assert everything_kept() == before


def test_write__without_a_recorder__is_refused(
    desk: Desk, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything_kept()
    monkeypatch.setattr(journal, "_recorder", None)
    with pytest.raises(JournalMissing, match=r"portal\.audit"):
        desk.create(alice)
    assert everything_kept() == before
