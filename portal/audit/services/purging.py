"""Letting go of what is older than the retention says, so that the chain still verifies.

The rows go through a narrow door: a transaction writes the event ``audit.purged`` with the last row
that goes and its hash, raises the floor to that row, and deletes; the triggers let nothing be
deleted above the floor, and no floor be set without its event. Verifying starts where the last such
event says. It is a row of the chain, so nobody without the key can pretend a purge. What those rows
said last of things is written down again first (see states).
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils.translation import gettext as _

from portal.audit import chain, selectors, states, stored
from portal.audit.chain import Place
from portal.audit.models import AuditEvent, ChainHead, PurgeFloor
from portal.audit.services.anchoring import anchor_head
from portal.audit.services.recording import record, record_all
from portal.lib.errors import AviaryError
from portal.lib.journal import Actor, Entry, Intent

# Writers wait for one batch: a second or so.
BATCH = 20_000


class NothingMayGo(AviaryError):
    """The trail is kept for ever."""


class TrailBroken(AviaryError):
    """What should go does not verify, so it stays for whoever finds out why."""


def purge(*, intent: Intent) -> int:
    """Delete the rows that are older than AUDIT_RETENTION_DAYS; returns how many went.

    Raises NothingMayGo where no retention is set, TrailBroken when a row that should go does not
    verify, OSError when the anchor cannot be written (the rows are gone then).
    """
    if not settings.AUDIT_RETENTION_DAYS:
        raise NothingMayGo(
            _("The audit trail is kept for ever. To let old rows go, set AUDIT_RETENTION_DAYS.")
        )
    oldest = intent.at - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    gone = 0
    while batch := _purge_batch(intent.actor, oldest):
        gone += batch
    if gone:
        anchor_head(now=intent.at)
    return gone


@transaction.atomic
def _purge_batch(actor: Actor, oldest: datetime) -> int:
    head = ChainHead.objects.select_for_update().filter(pk=1).first()
    start = selectors.start_of_chain()
    last = _last_to_go(start, head, oldest) if head else None
    if last is None:
        return 0
    rows = last.sequence - start.sequence
    told_of = selectors.told_of()
    record_all(states.entries_to_keep(up_to=last.sequence, actor=actor))
    record(
        Entry(
            event=selectors.PURGED,
            actor=actor,
            subject_kind=selectors.TRAIL_KIND,
            subject=selectors.TRAIL,
            after={
                "last_sequence": last.sequence,
                "last_hash": last.hash,
                "rows": rows,
                "older_than": oldest.isoformat(timespec="seconds"),
                selectors.STATES_KEPT: [
                    name for name in states.names() if told_of is None or name in told_of
                ],
            },
        )
    )
    event = ChainHead.objects.get(pk=1).sequence
    PurgeFloor.objects.update_or_create(
        pk=1, defaults={"sequence": last.sequence, "event_sequence": event}
    )
    AuditEvent.objects.filter(sequence__lte=last.sequence).delete()
    return rows


def _last_to_go(start: Place, head: ChainHead, oldest: datetime) -> Place | None:
    """The last row of the next batch, verified; None where nothing is old enough."""
    kept = AuditEvent.objects.filter(at__gte=oldest).aggregate(first=Min("sequence"))["first"]
    end = min(kept - 1 if kept else head.sequence, start.sequence + BATCH)
    going = AuditEvent.objects.filter(sequence__gt=start.sequence, sequence__lte=end)
    # A purge leaves events behind; to purge those alone would leave others, for ever.
    if not going.exclude(event__in=[selectors.PURGED, states.KEPT]).exists():
        return None
    last = AuditEvent.objects.filter(sequence=end).values_list("hash", flat=True).first()
    fault = chain.first_fault(
        stored.rows(after=start.sequence, up_to=end),
        key=settings.AUDIT_KEY,
        anchors={end: last or ""},
        start=start,
        exactly=stored.exactly,
    )
    if fault:
        raise TrailBroken(
            _("Nothing was purged: row {row} of the audit trail: {problem}.").format(
                row=fault.sequence, problem=fault.problem
            )
        )
    return Place(end, last or "")
