"""Which documents of approvals the audit trail tells, to be held against the tables."""

from collections.abc import Iterator
from typing import Any

from portal.approvals.models import Policy
from portal.approvals.policy_rules import complete
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource


def register() -> None:
    """Have policies held against their rows."""
    events = frozenset({"policy.set", "policy.removed"})
    states.register(StateSource("policies", events, _tell, _read))


def _tell(event: AuditEvent) -> Iterator[State]:
    after = event.after_document
    key = StateKey("policy", event.project, event.environment, "policy", event.subject)
    yield key, None if after is None else complete(after)


def _read() -> Iterator[tuple[StateKey, dict[str, Any]]]:
    for policy in Policy.objects.select_related("environment__project"):
        place = policy.environment
        yield StateKey("policy", place.project.key, place.key, "policy", place.key), policy.document
