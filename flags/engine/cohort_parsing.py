"""Segments and exclusion groups: from plain documents to checked ones, and back."""

from collections.abc import Iterable

from flags.engine import limits
from flags.engine.buckets import SCALE
from flags.engine.condition_dumping import dump_condition
from flags.engine.condition_parsing import read_attribute, read_segment_condition
from flags.engine.document import TARGETING_KEY, AnyOf, Group, Segment, Slot
from flags.engine.scalars import read_flag_key, read_salt, read_segment_key
from portal.lib.documents.problems import Problem
from portal.lib.documents.readers import Reader, checked, list_of, mapped, quote, record
from portal.lib.documents.scalars import name, read_percentage, text

_ABOUT: dict[str, Reader[object]] = {
    "name": name(limits.MAX_NAME_CHARS),
    "description": text(limits.MAX_DESCRIPTION_CHARS),
}
_read_keys: Reader[frozenset[str]] = mapped(
    list_of(text(limits.MAX_UNIT_CHARS, least=1), most=limits.MAX_SEGMENT_KEYS), frozenset
)


def _check_keys(segment: Segment) -> Iterable[Problem]:
    for key in sorted(segment.included & segment.excluded):
        message = f"Remove '{quote(key)}' from one of the two lists; it is included and excluded."
        yield Problem("excluded", message)


_read_segment: Reader[Segment] = checked(
    record(
        Segment,
        {"key": read_segment_key},
        {
            **_ABOUT,
            "when": read_segment_condition,
            "included": _read_keys,
            "excluded": _read_keys,
            "keyed_by": read_attribute,
        },
    ),
    _check_keys,
)


def parse_segment(doc: object) -> Segment:
    """A segment. Required is the key; without a condition only included keys belong.

    Raises DocumentError.
    """
    return _read_segment(doc)


def dump_segment(segment: Segment) -> dict[str, object]:
    """The segment as a plain document, its keys sorted; fields that hold their default left out."""
    lists = {"included": segment.included, "excluded": segment.excluded}
    return {
        "key": segment.key,
        **_dump_about(segment),
        **({} if segment.when == AnyOf() else {"when": dump_condition(segment.when)}),
        **{field: sorted(keys) for field, keys in lists.items() if keys},
        **({} if segment.keyed_by == TARGETING_KEY else {"keyed_by": segment.keyed_by}),
    }


def _slot(flag: str, start: int, end: int) -> Slot:
    return Slot(flag, start, end)


_read_slot = record(
    lambda **fields: _slot(fields["flag"], fields["from"], fields["to"]),
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
            **_ABOUT,
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
    """The group as a plain document; fields that hold their default left out."""
    slots = [{"flag": s.flag, "from": s.start / 1000, "to": s.end / 1000} for s in group.slots]
    return {
        "key": group.key,
        **_dump_about(group),
        "salt": group.salt,
        "slots": slots,
        "holdout": group.holdout / 1000,
        **({} if group.bucket_by == TARGETING_KEY else {"bucket_by": group.bucket_by}),
    }


def _dump_about(one: Segment | Group) -> dict[str, object]:
    about = {"name": one.name, "description": one.description}
    return {field: value for field, value in about.items() if value}
