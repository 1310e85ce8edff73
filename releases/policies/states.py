from collections.abc import Iterator
from functools import partial
from typing import Any

from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource
from releases.policies.models import PlanTemplate, ReleasePolicy

Row = type[ReleasePolicy] | type[PlanTemplate]


def register() -> None:
    """Have policies and templates held against their rows."""
    rows: tuple[tuple[str, str, Row], ...] = (
        ("release policies", "release_policy", ReleasePolicy),
        ("plan templates", "plan_template", PlanTemplate),
    )
    for name, kind, row in rows:
        events = frozenset({f"{kind}.saved", f"{kind}.deleted"})
        states.register(StateSource(name, events, _tell, partial(_read, kind, row)))


def _key(kind: str, project: str, key: str) -> StateKey:
    return StateKey(kind.replace("_", " "), project, "", kind, key)


def _tell(event: AuditEvent) -> Iterator[State]:
    is_there = event.event.endswith(".saved")
    key = _key(event.subject_kind, event.project, event.subject)
    yield key, event.after_document if is_there else None


def _read(kind: str, row: Row) -> Iterator[tuple[StateKey, dict[str, Any]]]:
    for one in row.objects.select_related("project").iterator(chunk_size=500):
        yield _key(kind, one.project.key, one.key), one.document
