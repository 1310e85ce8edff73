"""An import as the gate wants to see it: the plan itself, and what it makes of the flags."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from flags.engine import Named
from flags.importers import ImportPlan
from flags.services import effects
from flags.services.importing.cohorts import CohortChange
from flags.services.importing.deciding import Decision
from flags.services.importing.place import Place
from flags.services.importing.report import ImportReport
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.approvals import changes

IMPORT = "flag.import"
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Reached:
    """Where an import changes what evaluators answer, by what it takes to do so.

    ``agreeing`` are all the environments whose policies have a say.
    """

    definitions: list[Environment]
    cohorts: list[Environment]
    agreeing: list[Environment]


def reached_by(place: Place, decision: Decision) -> Reached:
    """Where the definitions, segments and groups of an import reach, and this environment where
    what flags do here is changed."""
    environments = [place.environment, *place.others]
    reaches = [
        effects.reach_of(place.environment.project, kind, one.row.key)
        for kind, found in _changed_cohorts(decision)
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


def _changed_cohorts(decision: Decision) -> Iterable[tuple[Named, list[CohortChange[Any]]]]:
    """Without new ones: nothing refers to them yet."""
    found = ((Named.SEGMENT, decision.cohorts.segments), (Named.GROUP, decision.cohorts.groups))
    return [(kind, [one for one in some if one.before is not None]) for kind, some in found]


def _definitions_reach(place: Place, decision: Decision) -> set[int]:
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
    place: Place, plan: ImportPlan, mode: str, decision: Decision, reach: Reached
) -> changes.Change:
    """What an import is about to do, in the environments that it reaches."""
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
