"""Aviary's own documents of many flags, in one order, so that two exports can be compared.

A file has the shape that ``importers.native`` reads: flags with their configurations by
environment, and after them the segments and exclusion groups that they may refer to.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from flags.engine import (
    Configuration,
    FlagDefinition,
    Group,
    Segment,
    dump_configuration,
    dump_definition,
    dump_group,
    dump_segment,
)

Document: TypeAlias = dict[str, Any]
Flag: TypeAlias = tuple[FlagDefinition, Mapping[str, Configuration]]
"""A flag, and its configurations by environment, in the environments' order."""


def write_document(
    flags: Iterable[Flag], segments: Iterable[Segment] = (), groups: Iterable[Group] = ()
) -> Document:
    """The document of a file. What nothing but a place's own history says is not in it."""
    return {
        "flags": [_write_flag(*one) for one in sorted(flags, key=lambda one: one[0].key)],
        **_cohorts("segments", map(dump_segment, segments)),
        **_cohorts("groups", map(dump_group, groups)),
    }


def _write_flag(
    definition: FlagDefinition, configurations: Mapping[str, Configuration]
) -> Document:
    environments = {key: dump_configuration(one) for key, one in configurations.items()}
    return {**dump_definition(definition), "environments": environments}


def _cohorts(name: str, documents: Iterable[dict[str, object]]) -> Document:
    found = sorted(documents, key=lambda one: str(one["key"]))
    return {name: found} if found else {}
