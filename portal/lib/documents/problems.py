"""What is wrong with a document, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

MAX_PROBLEMS: Final = 100
"""Problems reported at once: enough to mend a document, few enough to answer with."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend.

    ``path`` leads there from the document's root, as in ``rules[0].when.all[1].values``; it is
    empty for the document itself. ``message`` is one sentence that says what to do.
    """

    path: str
    message: str

    def under(self, step: str) -> "Problem":
        """The same problem, seen from the parent that holds it at ``step`` (a name or ``[2]``)."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        return Problem(f"{step}{dot}{self.path}", self.message)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DocumentError(ValueError):
    """A document was refused; ``problems`` lists why (at least one, at most MAX_PROBLEMS)."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(islice(problems, MAX_PROBLEMS))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return " ".join(map(str, self.problems))

    def under(self, step: str) -> list[Problem]:
        """The problems, seen from the parent that holds the document at ``step``."""
        return [problem.under(step) for problem in self.problems]
