"""The state that a flag is evaluated in, read from the rows: what it refers to, and no more."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

from flags.engine import (
    CompiledFlag,
    Configuration,
    DocumentError,
    EvaluationState,
    Group,
    References,
    Segment,
    compile_flag,
    compile_group,
    compile_segment,
    dump_group,
    dump_segment,
    parse_group,
    parse_segment,
    references_of,
)
from flags.models import ExclusionGroup, FlagConfiguration
from flags.models import Segment as SegmentRow
from portal.access.models import Environment, Project

T = TypeVar("T", Group, Segment)
Segments = Mapping[str, Segment]


def load_state(
    environment: Environment,
    now: datetime,
    configurations: Iterable[Configuration],
    *,
    instead: Segments | None = None,
) -> tuple[EvaluationState, Segments]:
    """What some configurations refer to in an environment, and what that refers to, to the end.

    Also the segments, parsed; those of ``instead`` take the place of those there. What is not
    there, or does not parse, is left out, as evaluators have it.
    """
    named = [references_of(one) for one in configurations]
    flags, references = _flags_asked(environment, _all_of(one.flags for one in named))
    everything = [*named, *references]
    wanted = _all_of(one.segments for one in everything)
    segments = _segments_named(environment.project, wanted, instead or {})
    groups = groups_in(environment.project, _all_of(one.groups for one in everything))
    state = EvaluationState(
        flags,
        {key: compile_segment(dump_segment(one)) for key, one in segments.items()},
        {key: compile_group(dump_group(one)) for key, one in groups.items()},
        now.timestamp(),
    )
    return state, segments


def segments_in(project: Project, keys: Iterable[str]) -> dict[str, Segment]:
    """The segments of these keys with all that is listed in them; without those that do not
    parse."""
    rows = SegmentRow.objects.filter(project=project, key__in=list(keys))
    rows = rows.select_related("included", "excluded")
    return _parsed(rows.defer("included__content", "excluded__content"), parse_segment)


def groups_in(project: Project, keys: Iterable[str]) -> dict[str, Group]:
    """The exclusion groups of these keys; without those that do not parse."""
    rows = ExclusionGroup.objects.filter(project=project, key__in=list(keys))
    return _parsed(rows, parse_group)


def _parsed(rows: Iterable[Any], parse: Callable[[object], T]) -> dict[str, T]:
    found = {}
    for row in rows:
        with suppress(DocumentError):
            found[row.key] = parse(row.engine_document)
    return found


def _flags_asked(
    environment: Environment, keys: Iterable[str]
) -> tuple[dict[str, CompiledFlag], list[References]]:
    """Flags with all that they ask in turn: one query for each step of the chain."""
    compiled: dict[str, CompiledFlag] = {}
    references: list[References] = []
    seen: set[str] = set()
    waiting = set(keys)
    while waiting:
        seen |= waiting
        rows = FlagConfiguration.objects.served().filter(
            environment=environment, flag__key__in=waiting
        )
        found = [
            named
            for row in rows.select_related("flag")
            if (named := _add(row, compiled)) is not None
        ]
        references += found
        waiting = _all_of(one.flags for one in found) - seen
    return compiled, references


def _add(row: FlagConfiguration, compiled: dict[str, CompiledFlag]) -> References | None:
    try:
        compiled[row.flag.key] = compile_flag(row.environment_document())
    except DocumentError:
        return None
    return references_of(row.configuration)


def _segments_named(project: Project, keys: set[str], instead: Segments) -> dict[str, Segment]:
    found: dict[str, Segment] = {}
    waiting = keys
    while waiting:
        known = {key: instead[key] for key in waiting & instead.keys()}
        new = segments_in(project, waiting - known.keys()) | known
        found |= new
        waiting = _all_of(references_of(one).segments for one in new.values()) - found.keys()
    return found


def _all_of(sets: Iterable[frozenset[str]]) -> set[str]:
    return set().union(*sets)


# An evaluation as applications get it, and why: the answer with its explanation beside it.
