from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy

from portal.access.models import Project
from portal.approvals import handlers
from portal.approvals.handlers import (
    Document,
    Handler,
    Merged,
    Side,
    Sides,
    Target,
    Wanted,
    merge_whole,
)
from portal.approvals.models import ChangeRequest
from portal.audit import states
from portal.audit.models import AuditEvent
from portal.audit.states import State, StateKey, StateSource
from portal.lib import merging
from portal.lib.subjects import Recorded, Subject, page_at
from releases.policies import services
from releases.policies.descriptions import policy_changes
from releases.policies.models import PlanTemplate, ReleasePolicy

Place = tuple[Project, str]
_PARTS: merging.Parts = {"checks": merging.by_identity("key", merging.Merging.whole)}
_NAMES = {
    "name": gettext_lazy("The name"),
    "environments": gettext_lazy("The environments"),
    "services": gettext_lazy("The services"),
    "tags": gettext_lazy("The tags"),
    "checks": gettext_lazy("The checks"),
    "templates": gettext_lazy("The templates"),
}


def _current(place: Place, _wanted: Document) -> Side:
    project, key = place
    found = ReleasePolicy.objects.filter(project=project, key=key).first()
    return Side(str(found.version), found.document) if found else Side("0", {})


def _apply(place: Place, wanted: Wanted) -> None:
    project, key = place
    version = int(wanted.base_version)
    if not wanted.document:
        services.delete_policy(
            project=project, key=key, expected_version=version, intent=wanted.intent
        )
        return
    services.put_policy(
        project=project,
        key=key,
        document=wanted.document,
        expected_version=version,
        intent=wanted.intent,
    )


def _merge(place: Place, request: ChangeRequest, sides: Sides) -> Merged:
    if not all(sides.documents):  # one of them is no policy at all
        return merge_whole(place, request, sides)
    merged = sides.merged(_PARTS)
    clashes = dict.fromkeys(str(_NAMES[one.field]) for one in merged.clashes)
    return Merged(merged.document, tuple(clashes))


def _edit_page(target: Target) -> str:
    """None of a request to delete one: there is nothing to edit in it."""
    is_edit = target.request is not None and target.request.after
    return handlers.edited_at(handlers.page_at("release-policy"))(target) if is_edit else ""


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    return [policy_changes(one.before_document or {}, one.after_document or {}) for one in events]


RELEASE_POLICY = Subject(
    kind="release_policy",
    label=gettext_lazy("release policy"),
    events={
        "release_policy.saved": gettext_lazy("saved the release policy"),
        "release_policy.deleted": gettext_lazy("deleted the release policy"),
    },
    describe=_describe,
    address=page_at("release-policies"),
    restore=lambda event: (services.POLICY, event.after_document) if event.after_document else None,
    changes={
        services.POLICY: Handler(
            find=lambda target: (target.project, target.subject),
            current=_current,
            apply=_apply,
            page=lambda target: reverse("release-policies", args=[target.project.key]),
            edit_page=_edit_page,
            words=lambda _place, before, after: policy_changes(before, after),
            merge=_merge,
        )
    },
)


def _name(document: Mapping[str, object] | None) -> list[str]:
    return [str(document["name"])] if document else []


PLAN_TEMPLATE = Subject(
    kind="plan_template",
    label=gettext_lazy("plan template"),
    events={
        "plan_template.saved": gettext_lazy("saved the plan template"),
        "plan_template.deleted": gettext_lazy("deleted the plan template"),
    },
    describe=lambda events: [
        _name(event.after_document or event.before_document) for event in events
    ],
    address=page_at("plan-templates"),
)


Row = type[ReleasePolicy] | type[PlanTemplate]


def register() -> None:
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
