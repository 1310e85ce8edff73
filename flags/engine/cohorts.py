"""Segments and exclusion groups, compiled: who belongs, in one look-up or one hash."""

from collections.abc import Mapping
from dataclasses import dataclass

from flags.engine.buckets import GROUP, point, unit_in
from flags.engine.cohort_parsing import parse_group, parse_segment
from flags.engine.conditions import compile_attribute, compile_condition
from flags.engine.document import Group, Segment
from flags.engine.references import instants_of, weight_of
from flags.engine.results import Context
from flags.engine.world import Read, Test, World


@dataclass(frozen=True, slots=True)
class CompiledSegment:
    """A segment ready to ask; ``source`` is what it was compiled from, ``weight`` what asking it
    costs in steps at least."""

    key: str
    contains: Test
    weight: int
    source: Segment
    instants: frozenset[float] = frozenset()


def compile_segment(document: object) -> CompiledSegment:
    """The segment of a document. Raises DocumentError if the document is wrong."""
    segment = parse_segment(document)
    membership, instants = _compile_membership(segment), instants_of(segment)
    return CompiledSegment(segment.key, membership, weight_of(segment), segment, instants)


def _compile_membership(segment: Segment) -> Test:
    matches = compile_condition(segment.when)
    included, excluded = segment.included, segment.excluded
    if not included and not excluded:
        return matches
    read = compile_attribute(segment.keyed_by)

    def contains(context: Context, world: World) -> bool:
        key = unit_in(read(context, world), world)
        if key in included:
            return True
        return key not in excluded and matches(context, world)

    return contains


@dataclass(frozen=True, slots=True)
class CompiledGroup:
    """An exclusion group ready to ask: ``slots`` are the flags' start and end on its line."""

    key: str
    salt: str
    bucket_by: str
    slots: Mapping[str, tuple[int, int]]
    read: Read
    source: Group

    def position(self, context: Context, world: World) -> int | None:
        """Where the unit lies on the group's line; None without a unit."""
        unit = unit_in(self.read(context, world), world)
        return None if unit is None else point(self.salt, GROUP, unit)

    def gives(self, flag: str, context: Context, world: World) -> bool:
        """Whether the group gives the unit to the flag; a flag without a slot gets nobody."""
        slot = self.slots.get(flag)
        found = None if slot is None else self.position(context, world)
        return slot is not None and found is not None and slot[0] <= found < slot[1]


def compile_group(document: object) -> CompiledGroup:
    """The exclusion group of a document. Raises DocumentError if the document is wrong."""
    group = parse_group(document)
    return CompiledGroup(
        key=group.key,
        salt=group.salt,
        bucket_by=group.bucket_by,
        slots={slot.flag: (slot.start, slot.end) for slot in group.slots},
        read=compile_attribute(group.bucket_by),
        source=group,
    )
