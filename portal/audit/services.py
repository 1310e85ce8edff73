import json
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import Min
from django.utils.translation import gettext as _, gettext_lazy

from portal.audit import anchors, chain, selectors, states
from portal.audit.anchors import Anchor
from portal.audit.chain import Place
from portal.audit.models import AND, AuditEvent, ChainHead, PurgeFloor
from portal.lib import clock, outbound
from portal.lib.errors import AviaryError
from portal.lib.journal import Actor, Entry, Intent
from portal.lib.subjects import Menu, Recorded, Subject


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


logger = logging.getLogger("aviary.audit")
# How long every anchor is kept; of older ones, one an hour.
KEPT_WHOLE = timedelta(days=30)
_DAY = len("2026-03-01")


def anchor_head(*, now: datetime) -> Anchor | None:
    """Anchor the chain's head; returns the anchor, or None where nothing is new.

    Raises OSError when the file cannot be written.
    """
    path = Path(settings.AUDIT_ANCHOR_FILE)
    with anchors.opened(path, settings.AUDIT_KEY) as file:
        # Read while we hold the file, so that anchors are written in the chain's order.
        head = ChainHead.objects.filter(pk=1, sequence__gt=0).first()
        last = file.last()
        if head is None or (last and last.names(head.sequence, head.hash)):
            return None
        anchor = Anchor.taken(head.sequence, head.hash, now=now)
        _complain_of_a_step_back(last, anchor)
        file.append(anchor)
        logger.info("anchor %s", anchor.line(settings.AUDIT_KEY).decode())
    if last and last.at[:_DAY] != anchor.at[:_DAY]:
        anchors.thin(path, settings.AUDIT_KEY, before=now - KEPT_WHOLE)
    return anchor


def send_anchor(*, now: datetime) -> None:
    """Anchor the head and send the newest anchor to the web address, where there is one.

    An anchor that the address did not take is offered again the next time. Raises OSError when the
    file cannot be written.
    """
    anchor_head(now=now)
    if not settings.AUDIT_ANCHOR_WEBHOOK:
        return
    path = Path(settings.AUDIT_ANCHOR_FILE)
    with anchors.opened(path, settings.AUDIT_KEY) as file:
        newest = file.last()
    if newest:
        _offer(newest, path.with_name(f"{path.name}.sent"))


def keep_anchoring(stop: threading.Event) -> None:
    """Anchor the head at every interval until told to stop. It needs neither Redis nor Celery.

    Troubles are logged when they begin and when they end.
    """
    trouble = ""
    while not stop.wait(settings.AUDIT_ANCHOR_INTERVAL_S):
        found = ""
        try:
            anchor_head(now=clock.now())
        except OSError as error:
            found = f"cannot write the anchors: {error}"
        except DatabaseError as error:
            close_old_connections()
            found = f"the database does not answer ({type(error).__name__})"
        if found != trouble:
            logger.warning("anchors: %s", found or "written again")
        trouble = found
    connection.close()


def _complain_of_a_step_back(last: Anchor | None, anchor: Anchor) -> None:
    if last and anchor.sequence <= last.sequence:
        logger.error(
            "the audit trail went back from row %d to row %d; run manage.py verifyaudit",
            last.sequence,
            anchor.sequence,
        )


def _offer(anchor: Anchor, receipt: Path) -> None:
    line = anchor.line(settings.AUDIT_KEY)
    if receipt.exists() and receipt.read_bytes() == line:
        return
    try:
        outbound.post(
            settings.AUDIT_ANCHOR_WEBHOOK,
            line,
            content_type="application/json",
            networks=(
                outbound.EVERYWHERE
                if settings.AUDIT_ANCHOR_WEBHOOK_PRIVATE
                else settings.OUTBOUND_NETWORKS
            ),
        )
    except outbound.OutboundError as error:
        logger.error("the anchor was not sent: %s", error)
    else:
        receipt.write_bytes(line)


# Writers wait for one batch: a second or so.
BATCH = 20_000


class NothingMayGo(AviaryError):
    """The trail is kept for ever."""


class TrailBroken(AviaryError):
    """What should go does not verify, so it stays for the investigation."""


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
        selectors.rows(after=start.sequence, up_to=end),
        key=settings.AUDIT_KEY,
        anchors={end: last or ""},
        start=start,
        exactly=selectors.exactly,
    )
    if fault:
        raise TrailBroken(
            _("Nothing was purged: row {row} of the audit trail: {problem}.").format(
                row=fault.sequence, problem=fault.problem
            )
        )
    return Place(end, last or "")


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event.after_document or {}) for event in events]


def _sentences(document: dict[str, object]) -> list[str]:
    rows, filters = document.get("rows"), document.get("filters")
    if rows is None or not isinstance(filters, dict):
        return []
    narrowed = ", ".join(f"{name}: {value}" for name, value in filters.items())
    return [_("{rows} rows; {filters}.").format(rows=rows, filters=narrowed or _("no filter"))]


AUDIT = Subject(
    kind="audit",
    menu=Menu(110, gettext_lazy("History"), "history", "history", permission="audit_view"),
    label=gettext_lazy("history"),
    events={
        "audit.exported": gettext_lazy("exported the history as"),
        "audit.purged": gettext_lazy("purged the history"),
        "audit.state_kept": gettext_lazy("kept, before a purge, the state of"),
    },
    describe=_describe,
)
