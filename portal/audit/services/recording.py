"""Adding to the audit trail. Nothing else is possible."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from portal.audit import chain
from portal.audit.models import AND, AuditEvent, ChainHead
from portal.lib import clock
from portal.lib.journal import Entry


class OutsideTransaction(RuntimeError):
    """An entry must share the transaction of the change it records."""


def record(entry: Entry) -> None:
    """Append one entry to the chain; see record_all."""
    record_all([entry])


def record_all(entries: Iterable[Entry]) -> None:
    """Append entries to the chain, inside the caller's transaction.

    Takes the lock of the chain's head, so that two writers never claim one place. Raises
    OutsideTransaction where there is no transaction that could undo the change together with it.
    """
    if not connection.in_atomic_block:
        raise OutsideTransaction("an entry must be recorded inside a transaction")
    head = _locked_head()
    at, events = clock.database_now(), []
    for entry in entries:
        event = _event(entry, sequence=head.sequence + 1, at=at)
        event.previous_hash = head.hash
        values = [getattr(event, name) for name in chain.FIELDS]
        event.hash = chain.link(settings.AUDIT_KEY, head.hash, chain.canonical(values))
        head.sequence, head.hash = event.sequence, event.hash
        events.append(event)
    AuditEvent.objects.bulk_create(events, batch_size=500)
    ChainHead.objects.filter(pk=head.pk).update(sequence=head.sequence, hash=head.hash)


def _locked_head() -> ChainHead:
    head = ChainHead.objects.select_for_update().filter(pk=1).first()
    if head:
        return head
    # Only before the very first entry. Of two at once, the second waits for the first's commit.
    with transaction.atomic():
        ChainHead.objects.get_or_create(pk=1, defaults={"hash": chain.GENESIS})
    return ChainHead.objects.select_for_update().get(pk=1)


def _event(entry: Entry, *, sequence: int, at: datetime) -> AuditEvent:
    return AuditEvent(
        sequence=sequence,
        at=at,
        event=entry.event,
        actor_kind=str(entry.actor.kind),
        actor_id=entry.actor.id,
        actor=entry.actor.label[:200],
        project=entry.project,
        environment=entry.environment,
        subject_kind=entry.subject_kind,
        subject=entry.subject,
        version=entry.version,
        before=_json(entry.before),
        after=_json(entry.after),
        reason=entry.reason,
        request_id=entry.actor.trace.request_id,
        ip=entry.actor.trace.ip,
        user_agent=entry.actor.trace.user_agent[:300],
        requested_by=entry.agreed.requested_by,
        approved_by=AND.join(entry.agreed.approved_by),
        change_request=entry.agreed.change_request,
        part_of_kind=entry.part_of_kind,
        part_of=entry.part_of,
    )


def _json(document: Mapping[str, object] | None) -> str:
    if document is None:
        return ""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
