"""Which documents of services the audit trail tells, to be held against the tables."""

from collections.abc import Iterator
from typing import Any

from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource
from releases.catalogue.models import Artefact, Service, ServiceSetup

Held = Iterator[tuple[StateKey, dict[str, Any]]]


def register() -> None:
    """Have services, their setups and artefacts held against their rows."""
    for name, events, tell, read in (
        ("services", ("service.created", "service.edited"), _tell_service, _read_services),
        ("service setups", ("service.setup_changed",), _tell_setup, _read_setups),
        ("artefacts", ("service.artefact_recorded",), _tell_artefact, _read_artefacts),
    ):
        states.register(StateSource(name, frozenset(events), tell, read))


def _key(kind: str, project: str, service: str, environment: str = "") -> StateKey:
    return StateKey(kind, project, environment, "service", service)


def _artefact_kind(version: object) -> str:
    return f"artefact {version} of"


def _tell_service(event: AuditEvent) -> Iterator[State]:
    yield _key("service", event.project, event.subject), event.after_document


def _read_services() -> Held:
    for one in Service.objects.select_related("project").iterator(chunk_size=500):
        yield _key("service", one.project.key, one.key), one.document


def _tell_setup(event: AuditEvent) -> Iterator[State]:
    yield _key("setup", event.project, event.subject, event.environment), event.after_document


def _read_setups() -> Held:
    rows = ServiceSetup.objects.select_related("service__project", "environment")
    for one in rows.iterator(chunk_size=500):
        service = one.service
        yield _key("setup", service.project.key, service.key, one.environment.key), one.document


def _tell_artefact(event: AuditEvent) -> Iterator[State]:
    after = event.after_document or {}
    yield _key(_artefact_kind(after["version"]), event.project, event.subject), after


def _read_artefacts() -> Held:
    rows = Artefact.objects.select_related("service__project").iterator(chunk_size=500)
    for one in rows:
        kind = _artefact_kind(one.version)
        yield _key(kind, one.service.project.key, one.service.key), one.document
