"""An import as the gate wants to see it: the plan itself, and what it makes of the flags."""

from django.utils.translation import gettext as _

from flags.importers import ImportPlan
from flags.services.importing.deciding import Decision
from flags.services.importing.place import Place
from flags.services.importing.report import ImportReport
from portal.access.permissions import Permission
from portal.approvals import changes

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
