"""Documents in HTML forms: each input is named by its path, as in ``rules[0].when.values``.

The same paths name the places of problems, so an input finds its error by its own name.
"""

import re
from collections.abc import Iterable
from typing import Any

# The deepest document that people may send has a condition 20 groups down: 45 steps.
_MOST_STEPS = 100
_STEP = re.compile(r"\[(\d{1,6})\]|([^.\[\]]+)")


def nest(pairs: Iterable[tuple[str, object]]) -> dict[str, Any]:
    """Build the document from (path, value) pairs.

    Numbered places need not be consecutive (a removed row leaves a gap): they are closed up in
    order. Names that are no paths, or endless ones, are ignored.
    """
    root: dict[str | int, Any] = {}
    for path, value in pairs:
        steps = [int(number) if number else name for number, name in _STEP.findall(path)]
        if 0 < len(steps) <= _MOST_STEPS:
            _put(root, steps, value)
    return {str(step): _close_up(inner) for step, inner in root.items()}


def _put(root: dict[str | int, Any], steps: list[str | int], value: object) -> None:
    place = root
    for step in steps[:-1]:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        place = inner
    place[steps[-1]] = value


def _close_up(node: Any) -> Any:
    """Dictionaries that only have numbers for names become lists."""
    if not isinstance(node, dict):
        return node
    if node and all(isinstance(step, int) for step in node):
        return [_close_up(node[step]) for step in sorted(node)]
    return {str(step): _close_up(inner) for step, inner in node.items()}
