"""What an import makes of segments and exclusion groups, before the flags that refer to them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

from django.utils.translation import gettext as _

from flags.core.definitions import new_salt
from flags.core.parsing import group_from, segment_from
from flags.engine import Mention, Named, mentions_in_condition
from flags.exclusion_groups.services import check_places
from flags.models import ExclusionGroup, Segment
from flags.references import referring
from flags.references.dependants import segment_graph
from flags.segments import selectors as segment_selectors
from flags.segments.services import fill_segment
from flags.transfer.importers import ImportPlan, PlannedDependencies, SkippedDependency
from flags.transfer.importers.base import listed
from flags.transfer.importing.target import (
    DependencyReport,
    Document,
    ImportReport,
    ImportTarget,
    reason_of,
)
from portal.access.models import Project
from portal.approvals.changes import same_document
from portal.lib.errors import Invalid

Row = TypeVar("Row", Segment, ExclusionGroup)
Graph = Mapping[str, frozenset[str]]
_NAMES = ("name", "description")


@dataclass(frozen=True, slots=True)
class DependencyChange(Generic[Row]):
    """A segment or a group as it is to be, and its document as it was; None for a new one."""

    row: Row
    before: Document | None

    @property
    def differs(self) -> bool:
        return self.before is None or not same_document(self.before, self.row.document)


@dataclass(slots=True)
class Dependencies:
    """Those to store, and what flags may refer to once they are."""

    segments: list[DependencyChange[Segment]] = field(default_factory=list)
    groups: list[DependencyChange[ExclusionGroup]] = field(default_factory=list)
    known: frozenset[str] = frozenset()
    slots: Graph = field(default_factory=dict)
    refused: Collection[tuple[Named, str]] = ()

    @property
    def differ(self) -> bool:
        return bool(self.segments or self.groups)


def beside_present(place: ImportTarget, plan: ImportPlan) -> ImportPlan:
    """The plan as it may stand beside the segments that the project has; see give_way."""
    if not plan.segments.documents:
        return plan
    rows = segment_selectors.list_segments(place.environment.project)
    return give_way(plan, {one.key: one.document for one in rows})


def decide_dependencies(
    place: ImportTarget, plan: ImportPlan, report: ImportReport
) -> Dependencies:
    """The changes that can be; why others cannot is in the report.

    Stored is nothing but lists of keys: they never change, and serve nobody by themselves.
    """
    project = place.environment.project
    graph = segment_graph(project)
    segments = _decide(plan.segments, report.segments, partial(_decide_segment, place))
    segments = _without_misleading(segments, graph, plan.segments, report.segments)
    groups = _decide(plan.groups, report.groups, partial(_decide_group, project))
    report.notes += _notes_of_slots(place, plan, groups)
    slots = referring.slots_of(project) | {one.row.key: _flags_in(one.row) for one in groups}
    return Dependencies(
        segments=_differing(segments, report.segments),
        groups=_differing(groups, report.groups),
        known=frozenset([*graph, *(one.row.key for one in segments)]),
        slots=slots,
        refused=_refused(Named.SEGMENT, plan.segments, segments)
        | _refused(Named.GROUP, plan.groups, groups),
    )


def _decide(
    planned: PlannedDependencies,
    report: DependencyReport,
    decide_one: Callable[[Mapping[str, object]], DependencyChange[Row]],
) -> list[DependencyChange[Row]]:
    report.skipped += planned.skipped
    decided = []
    for key, document in planned.documents.items():
        try:
            decided.append(decide_one(document))
        except Invalid as error:
            report.skipped.append(SkippedDependency(key, reason_of(error)))
    return decided


def _decide_segment(
    place: ImportTarget, document: Mapping[str, object]
) -> DependencyChange[Segment]:
    project = place.environment.project
    try:
        row = segment_selectors.get_segment(project, str(document["key"]))
    except Segment.DoesNotExist:
        row = Segment(project=project, created_at=place.now)
    before = row.document if row.pk else None
    fill_segment(row, segment_from(_named(document, before)), now=place.now)
    return DependencyChange(row, before)


def _decide_group(
    project: Project, document: Mapping[str, object]
) -> DependencyChange[ExclusionGroup]:
    try:
        row = project.exclusion_groups.get(key=str(document["key"]))
    except ExclusionGroup.DoesNotExist:
        row = ExclusionGroup(project=project, salt=new_salt())
    before, held = (row.document, row.group) if row.pk else (None, None)
    wanted = group_from({"salt": row.salt, **_named(document, before)})
    if held is not None:
        check_places(project, held, wanted)
    row.set_group(wanted)
    return DependencyChange(row, before)


def _named(document: Mapping[str, object], before: Document | None) -> dict[str, Any]:
    """What people call a thing stays where the file says nothing of it."""
    return {**{name: before[name] for name in _NAMES if before}, **document}


def _without_misleading(
    decided: list[DependencyChange[Segment]],
    graph: Graph,
    planned: PlannedDependencies,
    report: DependencyReport,
) -> list[DependencyChange[Segment]]:
    """Segments of one file may name each other in any order; see take_back_misleading."""
    mentions = {one.row.key: list(mentions_in_condition(one.row.when, "when")) for one in decided}
    while True:
        refused = {(Named.SEGMENT, key) for key in planned.documents.keys() - mentions.keys()}
        asked = {key: frozenset(one.key for one in found) for key, found in mentions.items()}
        wanted = {**graph, **asked}
        problems = {
            key: problems_of_refused(found, refused)
            or referring.problems_of_segment(key, found, wanted)
            for key, found in mentions.items()
        }
        bad = {key: found for key, found in problems.items() if found}
        if not bad:
            return [one for one in decided if one.row.key in mentions]
        for key, found in bad.items():
            del mentions[key]
            report.skipped.append(SkippedDependency(key, reason_of(Invalid(found))))


def problems_of_refused(
    mentions: Iterable[Mention], refused: Collection[tuple[Named, str]]
) -> dict[str, str]:
    """Who names what the file has otherwise than the project would answer otherwise than there."""
    text = _("What the file says of “{key}” cannot be taken over.")
    return {
        one.path: text.format(key=one.key) for one in mentions if (one.kind, one.key) in refused
    }


def _refused(
    kind: Named, planned: PlannedDependencies, kept: Iterable[DependencyChange[Row]]
) -> set[tuple[Named, str]]:
    return {(kind, key) for key in planned.documents.keys() - {one.row.key for one in kept}}


def _differing(
    decided: list[DependencyChange[Row]], report: DependencyReport
) -> list[DependencyChange[Row]]:
    for one in decided:
        if one.before is None:
            report.created.append(one.row.key)
        elif one.differs:
            report.changed.append(one.row.key)
        else:
            report.unchanged.append(one.row.key)
    return [one for one in decided if one.differs]


def _flags_in(group: ExclusionGroup) -> frozenset[str]:
    return frozenset(slot["flag"] for slot in group.slots)


def _notes_of_slots(
    place: ImportTarget, plan: ImportPlan, groups: list[DependencyChange[ExclusionGroup]]
) -> list[str]:
    """A part of a group outlives its flag, which may be archived where the file is from.

    So it stays reserved, and everybody else's place is what it was there.
    """
    flags = {*place.flags, *(planned.key for planned in plan.flags)}
    return [
        f"the group {one.row.key} keeps a part for {flag}, which is no flag here"
        for one in groups
        for flag in sorted(_flags_in(one.row) - flags)
    ]


# Segments of another product give way to those that a project has: they are spelled out then. A
# native file is this product's own, and says what its segments are to be. Of another product's
# file a segment may just happen to be called like one here; then the users it is about must not
# change for the flags that name the one here, nor for those that the file brings.


_NOTE = "the project has other segments of these keys; flags get the conditions themselves: "


def give_way(plan: ImportPlan, present: Mapping[str, Mapping[str, Any]]) -> ImportPlan:
    """The plan without the segments that are others here.

    ``present`` are those here by their keys, as the history keeps them. What an import brought
    before is known again by where it says that it comes from, and changed. One that is the same is
    referred to, and keeps what people call it.
    """
    if plan.source == "native":
        return plan
    kept = PlannedDependencies(skipped=plan.segments.skipped)
    spelled_out: dict[str, object] = {}
    for key, document in plan.segments.documents.items():
        here = present.get(key)
        if here is None or _is_from_there(document, here):
            kept.add(key, document)
        elif _is_same(document, here):
            kept.add(key, {"key": key, "when": document["when"]})
        else:
            spelled_out[key] = document["when"]
    notes = [_NOTE + listed(sorted(spelled_out))] if spelled_out else []
    flags = (
        [
            replace(flag, configuration=_replaced(flag.configuration, spelled_out))
            for flag in plan.flags
        ]
        if spelled_out
        else plan.flags
    )
    return replace(plan, flags=flags, segments=kept, notes=plan.notes + notes)


def _is_from_there(wanted: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    return _origin(wanted) == _origin(here) and not _has_lists(here)


def _is_same(wanted: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    return bool(wanted["when"] == here["when"]) and not _has_lists(here)


def _has_lists(segment: Mapping[str, Any]) -> bool:
    """Another product's have none: somebody here made it another one."""
    return bool(segment["included"]["count"] or segment["excluded"]["count"])


def _origin(document: Mapping[str, Any]) -> str:
    """``Unleash segment 7``; what is told of it there comes after a colon."""
    return str(document["description"]).partition(":")[0]


def _replaced(document: Any, conditions: Mapping[str, object]) -> Any:
    if isinstance(document, Mapping):
        if set(document) == {"segment"}:
            return conditions.get(document["segment"], document)
        return {name: _replaced(one, conditions) for name, one in document.items()}
    if isinstance(document, list):
        return [_replaced(one, conditions) for one in document]
    return document
