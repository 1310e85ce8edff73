from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, TypeAlias

from flags import models as rows
from flags.core import selectors
from flags.engine import (
    Configuration,
    DocumentError,
    EnvironmentFlag,
    FlagDefinition,
    Group,
    Segment,
    dump_configuration,
    dump_definition,
    dump_group,
    dump_segment,
    parse_environment,
    parse_segment,
)
from flags.models import FlagConfiguration
from flags.transfer.exporters.base import Corpus
from flags.transfer.exporters.flagd import write_file
from flags.transfer.importers.base import Skipped
from portal.access.models import Environment, Project

FORMATS: Final = ("native", "flagd")


@dataclass(frozen=True, slots=True)
class Export:
    document: dict[str, Any]
    flags: int
    left_out: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def report(self) -> dict[str, object]:
        return {
            "flags": self.flags,
            "left_out": [{"flag": one.flag, "reason": one.reason} for one in self.left_out],
            "notes": self.notes,
        }


def export_project(project: Project, *, environments: Collection[str] | None = None) -> Export:
    """Every flag in use with its configurations, as our own document.

    Of all environments, or of those whose keys are given.
    """
    found = selectors.configurations_of(project)
    if environments is not None:
        found = found.filter(environment__key__in=environments)
    return _export_native(project, found)


def export_environment(environment: Environment, *, format_name: str) -> Export:
    """Every flag in use as it is in one environment; KeyError for a format not in FORMATS."""
    return _WRITERS[format_name](environment)


def _native(environment: Environment) -> Export:
    found = selectors.configurations_in(environment).select_related("environment")
    return _export_native(environment.project, found)


def _export_native(project: Project, configurations: Iterable[FlagConfiguration]) -> Export:
    """A row that no longer parses is left out, and the others go on."""
    found, left_out = [], []
    of_flags = groupby(sorted(configurations, key=_by_flag), key=lambda row: row.flag)
    for flag, in_places in of_flags:
        try:
            by_place = {one.environment.key: one.configuration for one in in_places}
            found.append((flag.definition, by_place))
        except DocumentError as error:
            left_out.append(Skipped(flag.key, str(error.problems[0])))
    return Export(write_document(found, *_dependencies_of(project)), len(found), left_out)


def _by_flag(row: FlagConfiguration) -> tuple[str, int, int]:
    return (row.flag.key, row.environment.position, row.environment_id)


def _flagd(environment: Environment) -> Export:
    corpus, broken = _read_corpus(environment)
    file = write_file(corpus)
    for key, reason in broken.items():
        file.left_out.append(Skipped(key, reason))
    file.left_out.sort(key=lambda one: one.flag)
    name = f"{environment.project.key}/{environment.key}"
    return Export(file.document(name), len(file.flags), file.left_out, file.notes)


def _read_corpus(environment: Environment) -> tuple[Corpus, dict[str, str]]:
    flags: dict[str, EnvironmentFlag] = {}
    broken: dict[str, str] = {}
    for row in (
        selectors.configurations_in(environment).filter(introduced=True).order_by("flag__key")
    ):
        try:
            flags[row.flag.key] = parse_environment(row.environment_document())
        except DocumentError as error:
            broken[row.flag.key] = str(error.problems[0])
    segments, groups = _dependencies_of(environment.project)
    by_key = {one.key: one for one in segments}
    return Corpus(flags, by_key, {one.key: one for one in groups}), broken


def _dependencies_of(project: Project) -> tuple[list[Segment], list[Group]]:
    segments = rows.Segment.objects.filter(project=project).select_related("included", "excluded")
    segments = segments.defer("included__content", "excluded__content")
    groups = rows.ExclusionGroup.objects.filter(project=project)
    return (
        [parse_segment(one.about | one.engine_document) for one in segments],
        [one.group for one in groups],
    )


_WRITERS: Final = {"native": _native, "flagd": _flagd}


# Aviary's own documents of many flags, in one order, so that two exports can be compared. A file
# has the shape that ``importers.native`` reads: flags with their configurations by environment,
# and after them the segments and exclusion groups that they may refer to.


Document: TypeAlias = dict[str, Any]
Flag: TypeAlias = tuple[FlagDefinition, Mapping[str, Configuration]]
"""A flag, and its configurations by environment, in the environments' order."""


def write_document(
    flags: Iterable[Flag], segments: Iterable[Segment] = (), groups: Iterable[Group] = ()
) -> Document:
    """The document of a file. What nothing but a place's own history says is not in it."""
    return {
        "flags": [_write_flag(*one) for one in sorted(flags, key=lambda one: one[0].key)],
        **_dependencies("segments", map(dump_segment, segments)),
        **_dependencies("groups", map(dump_group, groups)),
    }


def _write_flag(
    definition: FlagDefinition, configurations: Mapping[str, Configuration]
) -> Document:
    environments = {key: dump_configuration(one) for key, one in configurations.items()}
    return {**dump_definition(definition), "environments": environments}


def _dependencies(name: str, documents: Iterable[dict[str, object]]) -> Document:
    found = sorted(documents, key=lambda one: str(one["key"]))
    return {name: found} if found else {}
