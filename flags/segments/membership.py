from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _

from flags.engine import (
    CompiledSegment,
    DocumentError,
    EvaluationState,
    OverBudget,
    compile_segment,
)
from flags.models import Segment
from flags.models.segment import LISTS
from flags.references.dependants import follow, segment_graph
from flags.segments import selectors as segment_selectors
from portal.lib import clock, strict_json


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether somebody belongs, and why, in one sentence; ``is_in`` is None where it is open."""

    is_in: bool | None
    why: str


def explain_membership(segment: Segment, *, unit: str, attributes: str) -> Membership:
    context = _context(attributes)
    if context is None:
        problem = _('Write the attributes as a JSON object: {{"country": "DE"}}.').format()
        return Membership(None, problem)
    listed = [name for name in LISTS if unit in getattr(segment, name).keys]
    if listed:
        is_in = listed[0] == "included"
        why = _("always in") if is_in else _("never in")
        return Membership(is_in, _("The key is listed as {list}.").format(list=why))
    try:
        found = _ask(segment, {**context, segment.keyed_by: unit})
    except DocumentError as error:
        return Membership(None, str(error))
    except OverBudget:
        return Membership(None, _("Asking takes more steps than one evaluation may take."))
    if found:
        return Membership(True, _("The key is in no list, and the conditions hold."))
    return Membership(False, _("The key is in no list, and the conditions do not hold."))


def _context(text: str) -> dict[str, Any] | None:
    try:
        found = strict_json.loads_text(text) if text.strip() else {}
    except strict_json.NotStrict:
        return None
    return found if isinstance(found, dict) else None


def _ask(segment: Segment, context: Mapping[str, Any]) -> bool:
    state = EvaluationState({}, _segments(segment), {}, clock.now().timestamp())
    return state.segment(segment.key).contains(context, state)


def _segments(segment: Segment) -> dict[str, CompiledSegment]:
    """The segment and all those that it names, however far down."""
    graph = segment_graph(segment.project)
    wanted = follow(
        [segment.key], lambda keys: chain.from_iterable(graph.get(key, ()) for key in keys)
    )
    rows = [segment_selectors.get_segment(segment.project, key) for key in wanted if key in graph]
    return {row.key: compile_segment(row.engine_document) for row in rows}
