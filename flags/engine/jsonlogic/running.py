"""What compiled logic is made of, and what ends it early."""

from collections.abc import Callable
from typing import Final, TypeAlias

from flags.engine.world import Steps

MAX_TEXT_CHARS: Final = 10_000
"""The longest text that logic may put together; with the steps it bounds the memory too."""


class Unanswerable(Exception):
    """No answer: a value is of a type that an operation cannot use, or a text grew too long."""


Compiled: TypeAlias = Callable[[object, Steps], object]
"""From the data in scope to a value; raises Unanswerable, OverBudget, and nothing else."""
