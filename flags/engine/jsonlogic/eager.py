import math
import operator
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import pairwise
from typing import Any, Final, TypeAlias

from flags.engine.jsonlogic.loose import (
    MAX_TEXT_CHARS,
    NAN,
    Unanswerable,
    equal,
    identical,
    less,
    less_or_equal,
    operand,
    text_of,
    whole,
)
from flags.engine.operators.base import is_number
from flags.engine.operators.instants import parse_version

# From the arguments' values and the data in scope to a value; may raise Unanswerable.
Function: TypeAlias = Callable[[list[object], object], object]
Comparison: TypeAlias = Callable[[object, object], bool]

# What Go calls white space; Python's strip() knows a few control characters more.
_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def look_up(path: object, data: object) -> object:
    if path is None or path == "":
        return data
    value = data
    for step in text_of(path).split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, (list, tuple)):
            value = _item(value, step)
        else:
            return None
    return value


def _item(items: list[object] | tuple[object, ...], step: str) -> object:
    is_place = step.isascii() and step.isdigit() and len(step) < 10
    return items[int(step)] if is_place and int(step) < len(items) else None


def _var(arguments: list[object], data: object) -> object:
    found = look_up(arguments[0] if arguments else "", data)
    return arguments[1] if found is None and len(arguments) > 1 else found


def _missing(arguments: list[object], data: object) -> list[object]:
    keys = arguments[0] if arguments and isinstance(arguments[0], list) else arguments
    return [key for key in keys if look_up(key, data) is None]


def _missing_some(arguments: list[object], data: object) -> list[object]:
    least, keys = arguments
    if not isinstance(keys, list):
        raise Unanswerable("no list of keys")
    missing = _missing([keys], data)
    return missing if len(keys) - len(missing) < whole(least) else []


def _compared(compare: Comparison) -> Function:
    def run(arguments: list[object], _data: object) -> bool:
        if len(arguments) == 2:  # nearly always, and three times as fast
            return compare(*arguments)
        return all(compare(one, other) for one, other in pairwise(arguments))

    return run


def _add(arguments: list[object], _data: object) -> float:
    # Not sum(): newer Pythons add more precisely than floating point does elsewhere.
    return reduce(operator.add, map(operand, arguments), 0.0)


def _subtract(arguments: list[object], _data: object) -> float:
    first, *others = map(operand, arguments)
    if not others:
        return -first
    for other in others:
        first -= other
    return first


def _divide(arguments: list[object], _data: object) -> float:
    first, *others = map(operand, arguments)
    for other in others:
        first = _quotient(first, other)
    return first


def _quotient(one: float, other: float) -> float:
    """Division as floating point has it everywhere but in Python: 1 / 0 is infinite."""
    if other:
        return one / other
    if one == 0 or math.isnan(one):
        return NAN
    return math.copysign(math.inf, one) * math.copysign(1, other)


def _remainder(arguments: list[object], _data: object) -> float:
    """With the sign of the first: -1 % 3 is -1."""
    one, other = map(operand, arguments)
    return NAN if not other or math.isinf(one) else math.fmod(one, other)


def _extreme(pick: Callable[[list[float]], float]) -> Function:
    def run(arguments: list[object], _data: object) -> float | None:
        numbers = list(map(operand, arguments))
        return pick(numbers) if numbers else None

    return run


def _cat(arguments: list[object], _data: object) -> str:
    return bounded("".join(map(text_of, arguments))).strip(_SPACE)


def bounded(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise Unanswerable("too long a text")
    return text


def _substr(arguments: list[object], _data: object) -> str:
    text = text_of(arguments[0])
    start = whole(arguments[1])
    start += len(text) if start < 0 else 0
    if not 0 <= start <= len(text):
        return text
    length = whole(arguments[2]) if len(arguments) == 3 else len(text)
    end = min(len(text), length + (len(text) if length < 0 else start))
    if end < start:
        raise Unanswerable("nothing between the ends")
    return text[start:end]


def _in(arguments: list[object], _data: object) -> bool:
    value, where = arguments
    if isinstance(where, str):
        if not isinstance(value, str):
            raise Unanswerable("no text to look for")
        return value in where
    return isinstance(where, list) and any(_is_found(value, item) for item in where)


def _is_found(value: object, item: object) -> bool:
    """A list of two among the items is a range of numbers. Numbers find texts that spell them."""
    if isinstance(item, list):
        if len(item) < 2:
            raise Unanswerable("no range")
        return operand(item[0]) <= operand(value) <= operand(item[1])
    if is_number(value):
        return operand(item) == value
    return type(item) is type(value) and not isinstance(item, Mapping) and item == value


def _merge(arguments: list[object], _data: object) -> list[object]:
    lists = (value if isinstance(value, list) else [value] for value in arguments)
    return [item for items in lists for item in items]


# flagd's operations on texts and versions; null for arguments that they cannot use.


def _on_texts(test: Callable[[str, str], bool]) -> Function:
    def run(arguments: list[object], _data: object) -> bool | None:
        one, other = arguments
        are_texts = isinstance(one, str) and isinstance(other, str)
        return test(one, other) if are_texts else None  # type: ignore[arg-type]

    return run


# ^ is the same major version, ~ the same minor one too.
_COMPARISONS: Final[dict[object, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "^": lambda one, other: one[0] == other[0],
    "~": lambda one, other: one[:2] == other[:2],
}


def _sem_ver(arguments: list[object], _data: object) -> bool | None:
    one, name, other = arguments
    compare = _COMPARISONS.get(name) if isinstance(name, str) else None
    left = parse_version(one, is_short_allowed=True)
    right = parse_version(other, is_short_allowed=True)
    return compare(left, right) if compare and left and right else None


FUNCTIONS: Final[dict[str, Function]] = {
    "var": _var,
    "missing": _missing,
    "missing_some": _missing_some,
    "!": lambda arguments, _data: not (arguments and arguments[0]),
    "!!": lambda arguments, _data: bool(arguments and arguments[0]),
    "==": _compared(equal),
    "===": _compared(identical),
    "!=": lambda arguments, _data: not equal(*arguments),
    "!==": lambda arguments, _data: not identical(*arguments),
    "<": _compared(less),
    "<=": _compared(less_or_equal),
    ">": _compared(lambda one, other: less(other, one)),
    ">=": _compared(lambda one, other: less_or_equal(other, one)),
    "+": _add,
    "-": _subtract,
    "*": lambda arguments, _data: math.prod(map(operand, arguments), start=1.0),
    "/": _divide,
    "%": _remainder,
    "min": _extreme(min),
    "max": _extreme(max),
    "cat": _cat,
    "substr": _substr,
    "in": _in,
    "merge": _merge,
    "starts_with": _on_texts(str.startswith),
    "ends_with": _on_texts(str.endswith),
    "sem_ver": _sem_ver,
    "log": lambda arguments, _data: arguments[0] if arguments else None,
}
