"""Where a write of something shared changes what evaluators answer.

Each of these environments has a say in it: its policy, and the rights that it takes there.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flags.engine import (
    DocumentError,
    Named,
    mentions_in,
    parse_configuration,
    parse_definition,
    variants_of,
)
from flags.models import ExclusionGroup, Flag, FlagConfiguration, Segment
from flags.references.dependants import mentioning, reaching
from portal.access import outbox
from portal.access.models import Environment, Project
from portal.access.permissions import Permission
from portal.approvals import emergencies, gate
from portal.approvals.changes import Change
from portal.approvals.models import ChangeRequest, EmergencyLog, State
from portal.lib.journal import Intent
from portal.lib.stored_json import naming

Document = Mapping[str, Any]
Busy = Collection[tuple[str, int]]
# What others agree to elsewhere, and is still to happen. Each gives, of a project and keys of
# segments, the ids of the environments where it names one of them; or flags with such ids.
segments_ahead: list[Callable[[Project, Collection[str]], Iterable[int]]] = []
flags_ahead: list[Callable[[Project], Iterable[tuple[str, int]]]] = []
_SUBJECTS = {Named.SEGMENT: "segment", Named.GROUP: "exclusion_group"}


def introduced_rows(flag: Flag) -> list[FlagConfiguration]:
    if flag.is_archived:
        return []
    rows = FlagConfiguration.objects.filter(flag=flag, introduced=True)
    return list(rows.select_related("environment"))


def of_archiving(flag: Flag, environments: Iterable[Environment]) -> list[Environment]:
    return of_archiving_all([flag], environments)


def of_archiving_all(
    flags: Iterable[Flag], environments: Iterable[Environment]
) -> list[Environment]:
    rows = FlagConfiguration.objects.filter(flag__in=list(flags), introduced=True)
    return _among(environments, rows.values_list("environment", flat=True))


def of_definition(
    flag: Flag, before: Document, environments: Iterable[Environment]
) -> list[Environment]:
    """Where an edit of a flag is noticed; ``flag`` is as it is to be."""
    rows = introduced_rows(flag)
    reached = definition_reaches(before, flag.document, rows, busy_in(flag.project))
    return _among(environments, reached)


def definition_reaches(
    before: Document, after: Document, rows: Iterable[FlagConfiguration], busy: Busy
) -> set[int]:
    """The ids of the environments, of those in which ``rows`` introduce the flag, that get other
    answers: a variant that no configuration can serve, names and tags make no difference."""
    everything, variants = _served_changes(before, after)
    if not everything and not variants:
        return set()
    return {
        row.environment_id
        for row in rows
        if everything
        or (before["key"], row.environment_id) in busy
        or _can_serve(row, before, variants)
    }


def busy_in(project: Project) -> set[tuple[str, int]]:
    """Flags and ids of environments where something agreed to is still to happen: a plan, the end
    of an emergency, or a release. It may serve any variant."""
    running = emergencies.running().filter(request__project=project, request__subject_kind="flag")
    return {
        *running.values_list("request__subject", "request__environments"),
        *(one for names in flags_ahead for one in names(project)),
    }


def _served_changes(before: Document, after: Document) -> tuple[bool, set[str]]:
    """Whether every answer changes, and the variants of which one does."""
    everywhere = any(before[name] != after[name] for name in ("client_visible", "metadata"))
    old, new = (
        {one["key"]: _answered(one) for one in side["variants"]} for side in (before, after)
    )
    return everywhere, {key for key in old | new if old.get(key) != new.get(key)}


def _answered(variant: Document) -> str:
    """As a text: in Python 1 equals True."""
    told = {name: value for name, value in variant.items() if name != "description"}
    return json.dumps(told, sort_keys=True)


def _can_serve(row: FlagConfiguration, definition: Document, variants: set[str]) -> bool:
    try:
        served = variants_of(parse_configuration(row.document, parse_definition(definition)))
    except DocumentError:
        return True
    return served is None or not served.isdisjoint(variants)


@dataclass(slots=True)
class Reach:
    """Where a segment or an exclusion group reaches, as ids of environments.

    Evaluators ask for it in ``answering``. In ``agreeing`` it is used as well or may come to be
    without being looked at again: by a flag that is not introduced or archived, an open request, a
    plan or release, or the end of an emergency. What others agreed to must be what they looked at.
    """

    answering: set[int] = field(default_factory=set)
    agreeing: set[int] = field(default_factory=set)

    def answers_in(self, environments: Iterable[Environment]) -> list[Environment]:
        return _among(environments, self.answering)

    def agreed_in(self, environments: Iterable[Environment]) -> list[Environment]:
        return _among(environments, self.answering | self.agreeing)


def reach_of(project: Project, kind: Named, key: str) -> Reach:
    """Where a segment or an exclusion group reaches, by way of other segments too."""
    keys = reaching(project, key) if kind is Named.SEGMENT else {key}
    ends = emergencies.running().filter(
        request__project=project, request__subject_kind=_SUBJECTS[kind], request__subject=key
    )
    reach = Reach(agreeing=_mentioned_ahead(project, keys))
    reach.agreeing |= set(ends.values_list("request__environments", flat=True))
    for row in mentioning(project, kind, archived=True):
        if any(one.kind is kind and one.key in keys for one in mentions_in(row.document)):
            is_served = row.introduced and not row.flag.is_archived
            (reach.answering if is_served else reach.agreeing).add(row.environment_id)
    return reach


def _mentioned_ahead(project: Project, keys: Collection[str]) -> set[int]:
    """Where something still to happen holds one of these keys, whatever it names by it."""
    requests = ChangeRequest.objects.filter(project=project, state=State.OPEN)
    logs = EmergencyLog.objects.filter(first__request__project=project)
    found: tuple[Iterable[int | None], ...] = (
        naming(requests, "after", keys).values_list("environments", flat=True),
        *(
            naming(logs, side, keys).values_list("first__request__environments", flat=True)
            for side in ("before", "after")
        ),
        *(names(project, keys) for names in segments_ahead),
    )
    return {pk for rows in found for pk in rows if pk is not None}


def _among(environments: Iterable[Environment], ids: Iterable[int]) -> list[Environment]:
    wanted = set(ids)
    return [environment for environment in environments if environment.pk in wanted]


# What the services of flags have in common: versions for the evaluators, rows for the auditors.


def advance_everywhere(flag: Flag, environments: Iterable[Environment], *, now: datetime) -> None:
    """Give every environment a version for a change to the flag itself. Their rows are locked."""
    for environment in environments:
        version = outbox.advance(environment, kind=Named.FLAG, keys=[flag.key], now=now)
        FlagConfiguration.objects.filter(flag=flag, environment=environment).update(version=version)


def advance_all(environments: Iterable[Environment], kind: str, key: str, *, now: datetime) -> None:
    """Give every environment a version for a change to a segment or a group; rows are locked."""
    for environment in environments:
        outbox.advance(environment, kind=kind, keys=[key], now=now)


def kind_of(one: Segment | ExclusionGroup) -> Named:
    return Named.SEGMENT if isinstance(one, Segment) else Named.GROUP


def let_through(
    one: Segment | ExclusionGroup,
    change: Callable[[list[Environment]], Change],
    environments: Collection[Environment],
    intent: Intent,
) -> Intent:
    """Ask everybody who has a say in a change of a segment or a group; then advance all.

    ``change`` is made of the environments that it reaches, of all the project's, whose rows are
    locked. Raises Forbidden where one may not do it in each that answers by it; Waiting.
    """
    kind = kind_of(one)
    reach = reach_of(one.project, kind, one.key)
    gate.require_in_each(
        intent,
        Permission.SEGMENT_EDIT,
        environments=reach.answers_in(environments),
        project=one.project,
    )
    intent = gate.check(change(reach.agreed_in(environments)), intent).intent
    advance_all(environments, kind, one.key, now=intent.at)
    return intent
