"""JsonLogic, put together: what is known beforehand is left out of it.

flagd's library runs every argument before it looks at any, at least in some versions: ``and`` and
``if`` protect nothing. So all that is built here can be run on any context, whatever it holds:
values are looked at only by operations that take every type, or made fit first.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from flags.engine.document import NOW
from flags.exporters.base import refuse

Logic: TypeAlias = Any
"""JSON: a constant, or an object of one operation."""
Choice: TypeAlias = tuple[Logic, Logic]
"""A condition, and what it leads to."""


def attribute(path: str) -> Logic:
    """The attribute's value. Raises NotExpressible where flagd would read another one."""
    if path == NOW:
        refuse("it depends on the instant, which flagd has in whole seconds only")
    if path.startswith("$"):
        refuse(f"flagd keeps the name '{path}' for itself")
    if "." in path:
        refuse(f"flagd does not find an attribute whose own name is '{path}', with the dot in it")
    if not path or path.isdigit():
        refuse(f"flagd may take the attribute '{path}' for a place in a list")
    return {"var": path}


def every(conditions: Iterable[Logic]) -> Logic:
    """Whether all hold; with none of them, true."""
    needed = [one for one in conditions if one is not True]
    if any(one is False for one in needed):
        return False
    return _joined("and", needed, empty=True)


def either(conditions: Iterable[Logic]) -> Logic:
    """Whether any holds; with none of them, false."""
    offered = [one for one in conditions if one is not False]
    if any(one is True for one in offered):
        return True
    return _joined("or", offered, empty=False)


def _joined(name: str, conditions: list[Logic], *, empty: bool) -> Logic:
    if len(conditions) < 2:
        return conditions[0] if conditions else empty
    return {name: conditions}


def negate(condition: Logic) -> Logic:
    """Whether it does not hold."""
    return not condition if isinstance(condition, bool) else {"!": [condition]}


def same(one: Logic, other: Logic) -> Logic:
    """Whether both are the same value of the same type; one of them must not be a list."""
    return {"===": [one, other]}


def is_one_of(value: Logic, texts: Iterable[str]) -> Logic:
    """Whether a text is one of these; only for what is a text, or null."""
    known = list(texts)
    if not known:
        return False
    return same(value, known[0]) if len(known) == 1 else {"in": [value, known]}


def choose(choices: Iterable[Choice], otherwise: Logic) -> Logic:
    """What the first condition that holds leads to."""
    parts: list[Logic] = []
    for condition, outcome in choices:
        if condition is True:
            otherwise = outcome
            break
        if condition is not False:
            parts += (condition, outcome)
    return {"if": [*parts, otherwise]} if parts else otherwise
