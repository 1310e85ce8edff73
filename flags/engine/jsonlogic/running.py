"""What compiled logic is made of, and what ends it early."""

from collections.abc import Callable
from typing import Final, TypeAlias

MAX_STEPS: Final = 50_000
"""Operations that one evaluation may spend inside map, filter, reduce, all, none and some."""
MAX_TEXT_CHARS: Final = 10_000
"""The longest text that logic may put together; with the steps it bounds the memory too."""


class Unanswerable(Exception):
    """No answer: a value is of a type that an operation cannot use, or the work grew too large."""


class Steps:
    """What one evaluation may still spend on going through lists: they nest, and so multiply."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Unanswerable("too many steps")


Compiled: TypeAlias = Callable[[object, Steps], object]
"""From the data in scope to a value; raises Unanswerable, and nothing else."""
