"""An import as the gate wants to see it: the plan itself, and what it makes of the flags."""

from dataclasses import replace

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from flags import wording
from flags.importers import ImportPlan, PlannedCohorts
from flags.models import ExclusionGroup, FlagConfiguration, Segment
from flags.services.importing.deciding import Decision
from flags.services.importing.place import Place
from flags.services.importing.report import ImportReport
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import changes
from portal.approvals.models import ChangeRequest

IMPORT = "flag.import"
_MOST_NAMES = 20


def import_change(place: Place, plan: ImportPlan, mode: str, decision: Decision) -> changes.Change:
    """What an import is about to do; new flags concern one environment, and what is edited all.

    So do segments and groups, new ones too: they may be what a flag waits for.
    """
    here = place.environment
    permissions = [Permission.FLAG_EDIT]
    if decision.toggles:
        permissions.append(Permission.FLAG_TOGGLE)
    if decision.cohorts.differ:
        permissions.append(Permission.SEGMENT_EDIT)
    title = _("Import flags ({source}) into {environment}")
    return changes.Change(
        kind=IMPORT,
        project=here.project,
        environments=(here, *place.others) if decision.everywhere else (here,),
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
        text.format(key=wording.quoted(key))
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
    planned: PlannedCohorts,
    request: ChangeRequest,
) -> set[str]:
    found = rows.filter(
        project=request.project, key__in=planned.documents, updated_at__gt=request.revised_at
    )
    return set(found.values_list("key", flat=True))


def _without(planned: PlannedCohorts, keys: set[str]) -> PlannedCohorts:
    return PlannedCohorts({k: one for k, one in planned.documents.items() if k not in keys})
