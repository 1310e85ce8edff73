import operator
from collections.abc import Callable
from typing import Any, Final

from flags.engine.jsonlogic.eager import Function
from flags.engine.operators.instants import parse_version


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
    "starts_with": _on_texts(str.startswith),
    "ends_with": _on_texts(str.endswith),
    "sem_ver": _sem_ver,
}
