from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy

from portal.access.models import Environment
from portal.approvals import handlers
from portal.approvals.handlers import (
    Document,
    Handler,
    Merged,
    Side,
    Sides,
    Target,
    Wanted,
)
from portal.approvals.models import ChangeRequest
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource
from portal.lib import merging
from portal.lib.subjects import Menu, Recorded, Subject, page_at
from releases.catalogue import selectors, services
from releases.catalogue.descriptions import setup_changes
from releases.catalogue.models import Artefact, Service, ServiceSetup

Place = tuple[Service, Environment]
_PARTS: merging.Parts = {
    "checks": merging.by_identity("key", merging.Merging.whole),
    "rollback_config": merging.Merging.fields,
}
_NAMES = {
    "router": gettext_lazy("The router"),
    "deployer": gettext_lazy("The deployer"),
    "checks": gettext_lazy("The checks"),
    "rollback_config": gettext_lazy("The rollback configuration"),
}


def _find(target: Target) -> Place:
    return selectors.get_service(target.project, target.subject), target.place


def _current(place: Place, _wanted: Document) -> Side:
    setup = selectors.setup_of(*place)
    return Side(str(setup.version), setup.document) if setup else Side("0", {})


def _apply(place: Place, wanted: Wanted) -> ServiceSetup:
    service, environment = place
    return services.put_setup(
        service=service,
        environment=environment,
        document=wanted.document,
        expected_version=int(wanted.base_version),
        intent=wanted.intent,
    )


def _words(_place: Place, before: Document, after: Document) -> list[str]:
    return setup_changes(before, after)


def _merge(_place: Place, _request: ChangeRequest, sides: Sides) -> Merged:
    merged = sides.merged(_PARTS)
    clashes = dict.fromkeys(str(_NAMES[one.field]) for one in merged.clashes)
    return Merged(merged.document, tuple(clashes))


def _edit_page(target: Target) -> str:
    return reverse("service-setup", args=[target.project.key, target.subject, target.place.key])


SETUP = Handler(
    find=_find,
    current=_current,
    apply=_apply,
    page=handlers.page_at("service"),
    edit_page=handlers.edited_at(_edit_page),
    words=_words,
    merge=_merge,
)


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    return [_sentences(event) for event in events]


def _sentences(event: Recorded) -> list[str]:
    before, after = event.before_document or {}, event.after_document or {}
    if event.event == "service.setup_changed":
        return setup_changes(before, after)
    if event.event == "service.artefact_recorded":
        return [_("{version}, {digest}").format(**after)]
    fields = {"name": _("Name: {now}"), "owners": _("Owners: {now}")}
    return [
        text.format(now=_listed(after[field]))
        for field, text in fields.items()
        if field in after and after[field] != before.get(field)
    ]


def _listed(value: object) -> str:
    return str(value) if not isinstance(value, list) else ", ".join(value) or _("nobody")


SERVICE = Subject(
    kind="service",
    label=gettext_lazy("service"),
    events={
        "service.created": gettext_lazy("created the service"),
        "service.edited": gettext_lazy("edited the service"),
        "service.setup_changed": gettext_lazy("changed how to release"),
        "service.artefact_recorded": gettext_lazy("recorded a version of"),
    },
    describe=_describe,
    address=page_at("service", "subject"),
    menu=Menu(21, gettext_lazy("Services"), "server-2", "service-list", "/service/"),
    restore=lambda event: (
        (services.SETUP, event.after_document)
        if event.event == "service.setup_changed" and event.after_document
        else None
    ),
    changes={services.SETUP: SETUP},
)


Held = Iterator[tuple[StateKey, dict[str, Any]]]


def register() -> None:
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
