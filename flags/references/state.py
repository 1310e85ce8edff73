"""The state that a flag is evaluated in: what it refers to, to the end, and no more."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from flags.engine import (
    CompiledFlag,
    CompiledGroup,
    CompiledSegment,
    Configuration,
    DocumentError,
    EvaluationState,
    Segment,
    compile_flag,
    compile_group,
    compile_segment,
    dump_segment,
    references_of,
)
from flags.models import ExclusionGroup, FlagConfiguration, Segment as SegmentRow
from flags.references.dependants import follow
from portal.access.models import Environment

T = TypeVar("T", CompiledFlag, CompiledSegment, CompiledGroup)
Documents = Mapping[str, Mapping[str, Any]]


class Source(Protocol):
    """Where documents come from, by key, as evaluators load them; what is not there is left out."""

    def flags(self, keys: Collection[str]) -> Documents: ...
    def segments(self, keys: Collection[str]) -> Documents: ...
    def groups(self, keys: Collection[str]) -> Documents: ...


@dataclass(frozen=True, slots=True)
class StoredDocuments:
    """An environment's documents as they are now; segments of ``instead`` take the place of those
    there."""

    environment: Environment
    instead: Mapping[str, Segment] = field(default_factory=dict)

    def flags(self, keys: Collection[str]) -> Documents:
        rows = FlagConfiguration.objects.served().filter(environment=self.environment)
        found = {}
        for row in rows.filter(flag__key__in=keys).select_related("flag"):
            with suppress(DocumentError):
                found[row.flag.key] = row.environment_document()
        return found

    def segments(self, keys: Collection[str]) -> Documents:
        known = {key: dump_segment(self.instead[key]) for key in self.instead.keys() & keys}
        rows = SegmentRow.objects.select_related("included", "excluded").filter(
            project=self.environment.project_id, key__in=set(keys) - known.keys()
        )
        rows = rows.defer("included__content", "excluded__content")
        return known | {row.key: row.engine_document for row in rows}

    def groups(self, keys: Collection[str]) -> Documents:
        rows = ExclusionGroup.objects.filter(project=self.environment.project_id, key__in=keys)
        return {row.key: row.engine_document for row in rows}


def load_state(
    source: Source, now: datetime, configurations: Iterable[Configuration]
) -> EvaluationState:
    """What some configurations refer to, and what that refers to, to the end.

    What is not there, or does not parse, is left out, as evaluators have it.
    """
    named = [references_of(one) for one in configurations]
    flags = _load(
        _all_of(one.flags for one in named),
        source.flags,
        compile_flag,
        lambda flag: references_of(flag.source.configuration).flags,
    )
    named += [references_of(flag.source.configuration) for flag in flags.values()]
    segments = _load(
        _all_of(one.segments for one in named),
        source.segments,
        compile_segment,
        lambda segment: references_of(segment.source).segments,
    )
    keys = _all_of(one.groups for one in named)
    groups = _load(keys, source.groups, compile_group, lambda _group: frozenset())
    return EvaluationState(flags, segments, groups, now.timestamp())


def _load(
    first: set[str],
    read: Callable[[Collection[str]], Documents],
    compile_one: Callable[[Mapping[str, Any]], T],
    named_by: Callable[[T], frozenset[str]],
) -> dict[str, T]:
    """One read for each step of the chain."""
    found: dict[str, T] = {}

    def add(keys: set[str]) -> set[str]:
        new = {}
        for key, document in read(keys).items():
            with suppress(DocumentError):
                new[key] = compile_one(document)
        found.update(new)
        return _all_of(map(named_by, new.values()))

    follow(first, add)
    return found


def _all_of(sets: Iterable[frozenset[str]]) -> set[str]:
    return set().union(*sets)
