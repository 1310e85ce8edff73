from collections.abc import Iterable

from flags.engine import limits
from flags.engine.buckets import unit_in
from flags.engine.condition_parsing import read_attribute, read_segment_condition
from flags.engine.conditions import compile_attribute, compile_condition
from flags.engine.document import TARGETING_KEY, AnyOf, Segment
from flags.engine.dumping import dump_about, dump_condition
from flags.engine.references import instants_of, weight_of
from flags.engine.results import Context
from flags.engine.scalars import ABOUT, read_segment_key
from flags.engine.state import CompiledSegment, EvaluationState, Test
from portal.lib.documents import Problem, Reader, checked, list_of, mapped, quote, record, text

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
            **ABOUT,
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
    lists = {"included": segment.included, "excluded": segment.excluded}
    return {
        "key": segment.key,
        **dump_about(segment),
        **({} if segment.when == AnyOf() else {"when": dump_condition(segment.when)}),
        **{field: sorted(keys) for field, keys in lists.items() if keys},
        **({} if segment.keyed_by == TARGETING_KEY else {"keyed_by": segment.keyed_by}),
    }


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

    def contains(context: Context, state: EvaluationState) -> bool:
        key = unit_in(read(context, state), state)
        if key in included:
            return True
        return key not in excluded and matches(context, state)

    return contains
