from collections.abc import Iterable, Iterator

from flags.engine import limits
from flags.engine.buckets import GROUP, SCALE, point, unit_in
from flags.engine.condition_parsing import read_attribute
from flags.engine.conditions import compile_attribute
from flags.engine.document import TARGETING_KEY, Group, Slot
from flags.engine.dumping import dump_about
from flags.engine.results import Context
from flags.engine.scalars import ABOUT, read_flag_key, read_salt, read_segment_key
from flags.engine.state import CompiledGroup, EvaluationState
from portal.lib.documents import Problem, Reader, checked, list_of, read_percentage, record

_read_slot = record(
    lambda **fields: Slot(fields["flag"], fields["from"], fields["to"]),  # "from" is no name here
    {"flag": read_flag_key, "from": read_percentage, "to": read_percentage},
)


def _check_slots(group: Group) -> Iterable[Problem]:
    seen: set[str] = set()
    end = 0
    for index, slot in sorted(enumerate(group.slots), key=lambda one: one[1].start):
        if slot.end <= slot.start:
            yield Problem(f"slots[{index}].to", "Let the slot end after it starts.")
        if slot.start < end:
            yield Problem(f"slots[{index}].from", "Start the slot where the one before it ends.")
        if slot.flag in seen:
            yield Problem(f"slots[{index}].flag", "Give each flag one slot.")
        seen.add(slot.flag)
        end = max(end, slot.end)
    if end > SCALE - group.holdout:
        yield Problem("holdout", "Leave room for the holdout at the end of the line.")


_read_group: Reader[Group] = checked(
    record(
        Group,
        {"key": read_segment_key, "salt": read_salt},
        {
            **ABOUT,
            "slots": list_of(_read_slot, most=limits.MAX_SLOTS),
            "holdout": read_percentage,
            "bucket_by": read_attribute,
        },
    ),
    _check_slots,
)


def parse_group(doc: object) -> Group:
    """An exclusion group. Required are key and salt. Raises DocumentError."""
    return _read_group(doc)


def dump_group(group: Group) -> dict[str, object]:
    slots = [{"flag": s.flag, "from": s.start / 1000, "to": s.end / 1000} for s in group.slots]
    return {
        "key": group.key,
        **dump_about(group),
        "salt": group.salt,
        "slots": slots,
        "holdout": group.holdout / 1000,
        **({} if group.bucket_by == TARGETING_KEY else {"bucket_by": group.bucket_by}),
    }


def compile_group(document: object) -> CompiledGroup:
    """Raises DocumentError if the document is wrong."""
    group = parse_group(document)
    read, salt = compile_attribute(group.bucket_by), group.salt
    slots = {slot.flag: (slot.start, slot.end) for slot in group.slots}

    def position(context: Context, state: EvaluationState) -> int | None:
        unit = unit_in(read(context, state), state)
        return None if unit is None else point(salt, GROUP, unit)

    def gives(flag: str, context: Context, state: EvaluationState) -> bool:
        slot = slots.get(flag)
        found = None if slot is None else position(context, state)
        return slot is not None and found is not None and slot[0] <= found < slot[1]

    return CompiledGroup(group.key, group, position, gives)


# The line of an exclusion group: where there is room, and what may change on it. Units keep their
# part of the line: a slot keeps its place, and grows into free room only.


def free_room(group: Group) -> list[tuple[int, int]]:
    """The parts of the line that belong to no flag and not to the holdout, each with some length.

    In thousandths of a percent, from the start of the line.
    """
    gaps, at = [], 0
    for slot in sorted(group.slots, key=lambda one: one.start):
        gaps.append((at, slot.start))
        at = slot.end
    gaps.append((at, SCALE - group.holdout))
    return [(start, end) for start, end in gaps if start < end]


def place_slot(group: Group, flag: str, width: int) -> Slot | None:
    """Where a flag's slot of this width fits: at the start of the first gap that is wide enough.

    A flag that has one keeps its start and grows to the right, or shrinks. None where there is no
    room for it.
    """
    own = next((slot for slot in group.slots if slot.flag == flag), None)
    if own is None:
        gaps = ((start, end) for start, end in free_room(group) if end - start >= width)
        found = next(gaps, None)
        return found and Slot(flag, found[0], found[0] + width)
    end = own.start + width
    most = max((e for s, e in free_room(group) if s == own.end), default=own.end)
    return Slot(flag, own.start, end) if end <= most else None


def disturbances(before: Group, after: Group) -> Iterator[Problem]:
    """What of a change of slots and holdout would take users out of where they are.

    ``after`` is valid by itself. With another salt or unit everybody is dealt out anew, on purpose.
    """
    if (before.salt, before.bucket_by) != (after.salt, after.bucket_by):
        return
    room = free_room(before)
    old = {slot.flag: slot for slot in before.slots}
    for index, slot in enumerate(after.slots):
        was = old.get(slot.flag)
        if was is not None and (slot.end <= was.start or was.end <= slot.start):
            yield Problem(f"slots[{index}]", "Let a slot keep its place: grow or shrink it.")
        elif not all(_is_free(part, room) for part in _gained(was, slot)):
            message = "A share grows into unallocated traffic only: this is taken."
            yield Problem(f"slots[{index}]", message)
    if after.holdout > before.holdout:
        part = (SCALE - after.holdout, SCALE - before.holdout)
        if not _is_free(part, room):
            yield Problem(
                "holdout", "The holdout grows into unallocated traffic only: this is a flag's."
            )


def _gained(old: Slot | None, new: Slot) -> list[tuple[int, int]]:
    if old is None:
        return [(new.start, new.end)]
    parts = [(new.start, min(new.end, old.start)), (max(new.start, old.end), new.end)]
    return [(start, end) for start, end in parts if start < end]


def _is_free(part: tuple[int, int], room: Iterable[tuple[int, int]]) -> bool:
    return any(start <= part[0] and part[1] <= end for start, end in room)
