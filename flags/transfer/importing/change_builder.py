from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from flags.core import descriptions
from flags.engine import Named
from flags.models import ExclusionGroup, FlagConfiguration, Segment
from flags.references import effects
from flags.transfer.importers import ImportPlan, PlannedDependencies
from flags.transfer.importing.deciding import Decision
from flags.transfer.importing.dependencies import DependencyChange
from flags.transfer.importing.target import ImportReport, ImportTarget
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import changes
from portal.approvals.models import ChangeRequest

IMPORT = "flag.import"
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Reached:
    """Where an import changes what evaluators answer, by what it takes to do so.

    ``agreeing`` are all the environments whose policies have a say.
    """

    definitions: list[Environment]
    dependencies: list[Environment]
    agreeing: list[Environment]


def reached_by(place: ImportTarget, decision: Decision) -> Reached:
    """Where the definitions, segments and groups of an import reach, and this environment where
    what flags do here is changed."""
    environments = [place.environment, *place.others]
    reaches = [
        effects.reach_of(place.environment.project, kind, one.row.key)
        for kind, found in _changed_dependencies(decision)
        for one in found
    ]
    definitions = _definitions_reach(place, decision)
    ids = {pk for reach in reaches for pk in reach.answering | reach.agreeing} | definitions
    if any(change.is_noticed for change in decision.changes):
        ids.add(place.environment.pk)
    answering = {pk for reach in reaches for pk in reach.answering}
    return Reached(
        [one for one in environments if one.pk in definitions],
        [one for one in environments if one.pk in answering],
        [one for one in environments if one.pk in ids],
    )


def _changed_dependencies(
    decision: Decision,
) -> Iterable[tuple[Named, list[DependencyChange[Any]]]]:
    """Without new ones: nothing refers to them yet."""
    found = (
        (Named.SEGMENT, decision.dependencies.segments),
        (Named.GROUP, decision.dependencies.groups),
    )
    return [(kind, [one for one in some if one.before is not None]) for kind, some in found]


def _definitions_reach(place: ImportTarget, decision: Decision) -> set[int]:
    edited = [change for change in decision.changes if change.edited]
    busy = effects.busy_in(place.environment.project) if edited else set()
    reached: set[int] = set()
    for change in edited:
        rows = [some[change.flag.pk] for some in place.configurations.values()]
        rows = [row for row in rows if row.introduced]
        before = change.definition_before or {}
        reached |= effects.definition_reaches(before, change.flag.document, rows, busy)
    return reached


def import_change(
    place: ImportTarget, plan: ImportPlan, mode: str, decision: Decision, reach: Reached
) -> changes.Change:
    here = place.environment
    permissions = [Permission.FLAG_EDIT]
    if decision.toggles:
        permissions.append(Permission.FLAG_TOGGLE)
    if decision.dependencies.differ:
        permissions.append(Permission.SEGMENT_EDIT)
    title = _("Import flags ({source}) into {environment}")
    return changes.Change(
        kind=IMPORT,
        project=here.project,
        environments=tuple(reach.agreeing),
        subject_kind="import",
        subject=here.key,
        title=title.format(source=plan.source, environment=here.name),
        base_version=place.base_version,
        before={},
        after={"mode": mode, "plan": plan.document},
        permissions=tuple(permissions),
        words=tuple(_words(decision.report)),
    )


def _words(report: ImportReport) -> list[str]:
    parts = {
        _("New"): report.created,
        _("Changed"): report.changed,
        _("Introduced in this environment"): report.introduced,
        _("Turned off, as the file does not have them"): report.disabled,
        _("New segments"): report.segments.created,
        _("Changed segments"): report.segments.changed,
        _("New exclusion groups"): report.groups.created,
        _("Changed exclusion groups"): report.groups.changed,
    }
    return [f"{name}: {_listed(keys)}." for name, keys in parts.items() if keys]


def _listed(keys: list[str]) -> str:
    more = len(keys) - _MOST_NAMES
    names = ", ".join(keys[:_MOST_NAMES])
    return _("{names} and {more} more").format(names=names, more=more) if more > 0 else names


def split_off_changed(
    plan: ImportPlan, environment: Environment, request: ChangeRequest
) -> tuple[tuple[str, ...], ImportPlan]:
    """What a plan names that was changed since a request to carry it out; and the plan without."""
    seen = dict(one.rsplit(":", 1) for one in request.base_version.split(","))
    rows = FlagConfiguration.objects.filter(
        environment=environment,
        flag__key__in=[one.key for one in plan.flags],
        version__gt=int(seen.get(environment.key, 0)),
    )
    flags = set(rows.values_list("flag__key", flat=True))
    segments = _changed(Segment.objects.all(), plan.segments, request)
    groups = _changed(ExclusionGroup.objects.all(), plan.groups, request)
    texts = (_("Flag {key}"), _("Segment {key}"), _("Exclusion group {key}"))
    names = [
        text.format(key=descriptions.quoted(key))
        for text, keys in zip(texts, (flags, segments, groups), strict=True)
        for key in sorted(keys)
    ]
    return tuple(names), replace(
        plan,
        flags=[one for one in plan.flags if one.key not in flags],
        segments=_without(plan.segments, segments),
        groups=_without(plan.groups, groups),
    )


def _changed(
    rows: QuerySet[Segment] | QuerySet[ExclusionGroup],
    planned: PlannedDependencies,
    request: ChangeRequest,
) -> set[str]:
    found = rows.filter(
        project=request.project, key__in=planned.documents, updated_at__gt=request.revised_at
    )
    return set(found.values_list("key", flat=True))


def _without(planned: PlannedDependencies, keys: set[str]) -> PlannedDependencies:
    return PlannedDependencies({k: one for k, one in planned.documents.items() if k not in keys})
