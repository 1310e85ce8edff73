from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from flags.engine.results import Scalar
from portal.lib.documents import Reader

Values: TypeAlias = tuple[Scalar, ...]
Predicate: TypeAlias = Callable[[object], bool]
Build: TypeAlias = Callable[[Values], Predicate]
# What a predicate costs of a value, in steps of some 0.1 µs.
Cost: TypeAlias = Callable[[object], int]


@dataclass(frozen=True, slots=True)
class Operator:
    """``read_values`` reads the test's values, None where it takes none; ``build`` gets them.

    Where case may be ignored, ``build_folded`` gets the values instead if folding them and the
    attribute would not do: a pattern's ``\\S`` is not its ``\\s``.
    ``cost`` is told where it may grow with the attribute, or is high for many values.
    """

    build: Build
    read_values: Reader[Values] | None = None
    ignores_case: bool = False
    build_folded: Build | None = None
    cost: Callable[[Values], Cost | None] = lambda _values: None


def cost_of_reading(most_chars: int, steps: int) -> Callable[[Values], Cost]:
    def build(_values: Values) -> Cost:
        return lambda value: steps if isinstance(value, str) and len(value) <= most_chars else 0

    return build


def is_number(value: object) -> bool:
    """A number as JSON knows them, so not True."""
    # A tuple, not a union: a union is built anew, and searched slower, at every call.
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def negated(build: Build) -> Build:
    def build_negated(values: Values) -> Predicate:
        predicate = build(values)
        return lambda value: not predicate(value)

    return build_negated
