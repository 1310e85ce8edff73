"""Reading the audit trail."""

from collections.abc import Iterator
from typing import cast

from django.conf import settings
from django.db.models import QuerySet

from portal.access.models import Project
from portal.audit import chain
from portal.audit.models import AuditEvent, ChainHead


def events_of(project: Project, *, subject_kind: str, subject: str) -> QuerySet[AuditEvent]:
    """What happened to one thing of a project, newest first."""
    return AuditEvent.objects.filter(
        project=project.key, subject_kind=subject_kind, subject=subject
    )


def chain_fault() -> chain.Fault | None:
    """Walk the whole chain in constant memory, without holding up writers; None when it holds."""
    head = ChainHead.objects.filter(pk=1).first()
    return chain.first_fault(
        chain.stored_rows(_all_rows()),
        key=settings.AUDIT_KEY,
        anchors={head.sequence: head.hash} if head else {},
    )


def _all_rows() -> Iterator[tuple[object, ...]]:
    rows = AuditEvent.objects.order_by("sequence").values_list(
        *chain.FIELDS, "previous_hash", "hash"
    )
    return cast(Iterator[tuple[object, ...]], rows.iterator(chunk_size=5000))
