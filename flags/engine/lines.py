"""The line of an exclusion group: where there is room, and what may change on it.

Whoever is in a part of the line stays in it: a slot keeps its place, and grows into free room only.
"""

from collections.abc import Iterable, Iterator

from flags.engine.buckets import SCALE
from flags.engine.document import Group, Slot
from portal.lib.documents.problems import Problem


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
        if _moves(old.get(slot.flag), slot):
            yield Problem(f"slots[{index}]", "Let a slot keep its place: grow or shrink it.")
        elif not all(_is_free(part, room) for part in _gained(old.get(slot.flag), slot)):
            message = "Grow into free room only; here users belong to another flag or the holdout."
            yield Problem(f"slots[{index}]", message)
    if after.holdout > before.holdout:
        part = (SCALE - after.holdout, SCALE - before.holdout)
        if not _is_free(part, room):
            yield Problem("holdout", "Grow into free room only; here users belong to a flag.")


def _moves(old: Slot | None, new: Slot) -> bool:
    return old is not None and (new.end <= old.start or old.end <= new.start)


def _gained(old: Slot | None, new: Slot) -> list[tuple[int, int]]:
    if old is None:
        return [(new.start, new.end)]
    parts = [(new.start, min(new.end, old.start)), (max(new.start, old.end), new.end)]
    return [(start, end) for start, end in parts if start < end]


def _is_free(part: tuple[int, int], room: Iterable[tuple[int, int]]) -> bool:
    return any(start <= part[0] and part[1] <= end for start, end in room)
