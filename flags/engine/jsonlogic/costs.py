"""What operations cost that grow with their arguments, in steps of some 0.1 µs."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Cost: TypeAlias = Callable[[list[object]], int]

CHARS_READ: Final = 5
"""A text that is read costs a step for every 32 characters: it is compared, cut or hashed then."""
_VERSIONS: Final = 120
_ENCODED: Final = 10_000
"""An object that is hashed as a whole, of as many values as a context may have."""


def of_nothing(_arguments: list[object]) -> int:
    return 0


def of_spreading(arguments: list[object]) -> int:
    """Of getting the items of a list as arguments; next to nothing for a few."""
    return 2 * len(arguments) if len(arguments) > 4 else 0


def _in(arguments: list[object]) -> int:
    where = arguments[1]
    if isinstance(where, str):
        return (len(where) + 20) >> 6
    return 2 * len(where) if isinstance(where, list) else 0


def _path(path: object) -> int:
    return 2 + len(path) if isinstance(path, str) else 2


def _paths(arguments: list[object]) -> int:
    found = (one for given in arguments for one in (given if isinstance(given, list) else [given]))
    return sum(map(_path, found))


def _lists(arguments: list[object]) -> int:
    return sum(len(one) for one in arguments if isinstance(one, list)) >> 2


def _texts(arguments: list[object]) -> int:
    return 16 * len(arguments) if len(arguments) > 4 else 0


def _encoded(arguments: list[object]) -> int:
    return _ENCODED if arguments and isinstance(arguments[0], Mapping) else 0


COSTS: Final[dict[str, Cost]] = {
    "var": lambda arguments: _path(arguments[0]) if arguments else 0,
    "in": _in,
    "missing": _paths,
    "missing_some": _paths,
    "merge": _lists,
    "cat": _texts,
    "fractional": _encoded,
    "sem_ver": lambda _arguments: _VERSIONS,
}
