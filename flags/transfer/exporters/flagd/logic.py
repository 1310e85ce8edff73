"""JsonLogic, put together: what is known beforehand is left out of it.

flagd's library runs every argument before it looks at any, at least in some versions: ``and`` and
``if`` protect nothing. So all that is built here can be run on any context, whatever it holds:
values are looked at only by operations that take every type, or made fit first.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final, TypeAlias

from flags.engine.document import NOW
from flags.engine.limits import MAX_UNIT_INTEGER
from flags.transfer.exporters.base import refuse

Logic: TypeAlias = Any
"""JSON: a constant, or an object of one operation."""
Choice: TypeAlias = tuple[Logic, Logic]
"""A condition, and what it leads to."""


def attribute(path: str) -> Logic:
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
    needed = [one for one in conditions if one is not True]
    if any(one is False for one in needed):
        return False
    return _joined("and", needed, empty=True)


def either(conditions: Iterable[Logic]) -> Logic:
    offered = [one for one in conditions if one is not False]
    if any(one is True for one in offered):
        return True
    return _joined("or", offered, empty=False)


def _joined(name: str, conditions: list[Logic], *, empty: bool) -> Logic:
    if len(conditions) < 2:
        return conditions[0] if conditions else empty
    return {name: conditions}


def negate(condition: Logic) -> Logic:
    return not condition if isinstance(condition, bool) else {"!": [condition]}


def same(one: Logic, other: Logic) -> Logic:
    return {"===": [one, other]}


def is_one_of(value: Logic, texts: Iterable[str]) -> Logic:
    known = list(texts)
    if not known:
        return False
    return same(value, known[0]) if len(known) == 1 else {"in": [value, known]}


def choose(choices: Iterable[Choice], otherwise: Logic) -> Logic:
    parts: list[Logic] = []
    for condition, outcome in choices:
        if condition is True:
            otherwise = outcome
            break
        if condition is not False:
            parts += (condition, outcome)
    return {"if": [*parts, otherwise]} if parts else otherwise


# Types and units in JsonLogic, which itself converts whatever it is given.


# Below this every whole number is one; above, flagd's numbers stand for several.
_EXACT: Final = 2**53
BEYOND_UNITS: Final = float(2**63)


def is_text(value: Logic) -> Logic:
    """flagd's ``starts_with`` takes texts alone; its answer for others is null, or false."""
    return same({"starts_with": [value, ""]}, True)


def is_number(value: Logic) -> Logic:
    return every(
        [
            *({"!==": [value, other]} for other in (None, True, False)),
            negate(is_text(value)),
            {"or": [{"<": [value, 1]}, {">": [value, 0]}]},
        ]
    )


def as_text(value: Logic) -> Logic:
    return {"if": [is_text(value), value, ""]}


def as_number(value: Logic) -> Logic:
    return {"if": [is_number(value), value, 0]}


def is_list_with(value: Logic, member: Logic, itself: Logic) -> Logic:
    """Whether it is a list and an item meets ``member``, which speaks of ``{"var": ""}``.

    ``merge`` makes a list of anything; ``itself`` is ``member`` of the value, for it is no list
    where it meets that.
    """
    if member is False:
        return False
    return every([{"some": [{"merge": [value]}, member]}, negate(itself)])


def is_unit(value: Logic) -> Logic:
    """Whether it identifies somebody, given that it is not ``unplaceable``."""
    return either([every([is_text(value), {"!==": [value, ""]}]), _is_whole(value)])


def _is_whole(value: Logic) -> Logic:
    return every(
        [
            is_number(value),
            {"<": [-_EXACT, value, _EXACT]},
            same({"%": [as_number(value), 1]}, 0),
        ]
    )


def unit_text(value: Logic) -> Logic:
    return {"if": [is_text(value), value, {"cat": [as_number(value)]}]}


def unplaceable(value: Logic) -> Logic:
    """Units that flagd would take for another.

    Its ``cat`` removes white space from the end, and numbers from 2**53 on are rounded.
    """
    text = as_text(value)
    trimmed = {"cat": [{"cat": [".", text]}, "."]}
    large = [
        {"<": [_EXACT - 1, value, BEYOND_UNITS]},
        {"<": [-BEYOND_UNITS, value, 1 - _EXACT]},
    ]
    return either(
        [
            {"!==": [trimmed, {"cat": [".", text, "."]}]},
            every([is_number(value), either(large)]),
        ]
    )


def is_unit_among(value: Logic, keys: Collection[str]) -> Logic:
    """Whether the unit is one of the keys, which may be the digits of a number."""
    numbers = sorted(int(key) for key in keys if _is_integer(key) and not is_large(key))
    found = [every([is_text(value), {"in": [value, sorted(keys)]}])]
    if numbers:
        found.append(every([is_number(value), {"in": [value, numbers]}]))
    return either(found) if keys else False


def is_large(key: str) -> bool:
    return _is_integer(key) and abs(int(key)) >= _EXACT


def _is_integer(key: str) -> bool:
    digits = key.removeprefix("-")
    is_short = len(digits) <= len(str(MAX_UNIT_INTEGER))
    return is_short and digits.isascii() and digits.isdigit() and str(int(key)) == key
