"""Who made something what it was, and who agreed: read from the history's own order.

The rows of one transaction stand one after the other, since a writer holds the chain's end
until they commit. So a request was applied by the rows that follow right after its own; what a
reason says of a request is only where to look, as anybody may write a reason.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from portal.audit.models import AuditEvent

_REQUEST: Final = re.compile(r"\((change request|emergency change) ([0-9]{1,18})\)\Z")
_PLAN: Final = re.compile(r"(schedule|ramp) ([0-9]{1,18}) of ")
_SAYS: Final = {"change request": "change_request.applied", "emergency change": "break_glass.used"}


@dataclass(frozen=True, slots=True)
class Approval:
    """The change request by which something changed.

    ``people`` approved it, with their roles of that time; nobody did where glass was broken.
    """

    request: int
    is_emergency: bool
    people: tuple[Mapping[str, Any], ...]
    row: AuditEvent


@dataclass(frozen=True, slots=True)
class Cause:
    kind: str
    key: str
    row: AuditEvent
    approval: Approval | None = None


def approval_of(row: AuditEvent) -> Approval | None:
    planned = _PLAN.match(row.actor) if row.actor_kind == "system" else None
    if planned:
        agreed = _row_of_plan(row, kind=planned[1], plan=int(planned[2]))
        return approval_of(agreed) if agreed is not None else None
    said = _REQUEST.search(row.reason)
    if said is None:
        return None
    rows = AuditEvent.objects.filter(subject=said[2], sequence__lt=row.sequence)
    about = rows.filter(project=row.project, subject_kind="change_request", event=_SAYS[said[1]])
    applied = about.order_by("-sequence").first()
    if applied is None or not _is_one_write(applied, row):
        return None
    people = (applied.after_document or {}).get("approved_by", [])
    return Approval(int(said[2]), said[1] != "change request", tuple(_listed(people)), applied)


def _listed(people: object) -> list[Mapping[str, Any]]:
    return [one for one in people if isinstance(one, Mapping)] if isinstance(people, list) else []


def _is_one_write(applied: AuditEvent, row: AuditEvent) -> bool:
    """Whether all rows from one to the other are of one write, and no earlier one of the same."""
    between = AuditEvent.objects.filter(
        sequence__gt=applied.sequence, sequence__lt=row.sequence
    ).order_by()
    of_the_write = {"request_id": row.request_id, "actor": row.actor, "actor_kind": row.actor_kind}
    if any(getattr(applied, name) != value for name, value in of_the_write.items()):
        return False
    if between.filter(**of_the_write).count() != row.sequence - applied.sequence - 1:
        return False
    same = {name: getattr(row, name) for name in ("subject", "subject_kind", "environment")}
    return not between.filter(**same).exists()


def _row_of_plan(row: AuditEvent, *, kind: str, plan: int) -> AuditEvent | None:
    """The row by which a plan was last allowed to do what it did."""
    events = (f"flag.{kind}_created", f"flag.{kind}_resumed")
    rows = AuditEvent.objects.filter(
        subject=row.subject, sequence__lt=row.sequence, project=row.project, event__in=events
    ).order_by("-sequence")
    for one in rows.iterator(chunk_size=50):
        if (one.after_document or {}).get("plan") == plan:
            return one
    return None
