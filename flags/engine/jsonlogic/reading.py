"""Reads logic: which operations there are, with how many arguments, how deep and how large.

An object with one member is an operation. One with more, or none, is a value; so are lists, but
what operations they hold are run. ``{"$ref": name}`` stands for the evaluator of that name, and
is replaced by it, so that logic once read stands by itself.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final

from flags.engine.document import Logic
from flags.engine.scalars import read_condition_value
from portal.lib.documents import MAX_PROBLEMS, DocumentError, Problem, join_quoted, quote

MAX_LOGIC_DEPTH: Final = 50
# Values and operations altogether, those of evaluators counted wherever they are referred to.
MAX_LOGIC_NODES: Final = 10_000
_MANY: Final = math.inf

ARITIES: Final[dict[str, tuple[int, float]]] = {
    **dict.fromkeys(["==", "===", "!=", "!==", "%", "in", "missing_some", "map", "filter"], (2, 2)),
    **dict.fromkeys(["all", "none", "some", "starts_with", "ends_with"], (2, 2)),
    **dict.fromkeys(["<", "<=", ">", ">=", "substr"], (2, 3)),
    **dict.fromkeys(["reduce", "sem_ver"], (3, 3)),
    **dict.fromkeys(["!", "!!", "log"], (0, 1)),
    **dict.fromkeys(["and", "or", "if", "-", "/", "fractional"], (1, _MANY)),
    **dict.fromkeys(["+", "*", "min", "max", "cat", "merge", "missing"], (0, _MANY)),
    "var": (0, 2),
    "?:": (3, 3),
}

# Given one argument that is no list but gives one, these take its items as their arguments.
SPREADING: Final = frozenset({"+", "-", "*", "/", "min", "max", "cat", "merge", "missing"})


def read_logic(value: object, *, evaluators: Mapping[str, object] | None = None) -> Logic:
    """Checked logic; ``evaluators`` are flagd's ``$evaluators``, by name.

    Raises DocumentError with the path of every problem.
    """
    reading = _Reading(evaluators or {})
    result = reading.read(value, "", MAX_LOGIC_DEPTH, ())
    if reading.problems:
        raise DocumentError(reading.problems)
    return Logic(result)


def _wanted(least: int, most: float) -> str:
    if most == _MANY:
        return f"at least {least}"
    return f"exactly {least}" if least == most else f"{least} to {most}"


class _Reading:
    def __init__(self, evaluators: Mapping[str, object]) -> None:
        self.problems: list[Problem] = []
        self._evaluators = evaluators
        self._left = MAX_LOGIC_NODES

    def read(self, value: object, path: str, levels: int, referred: tuple[str, ...]) -> object:
        self._left -= 1
        if self._left < 0 or not levels or len(self.problems) >= MAX_PROBLEMS:
            self._stop(path, levels)
            return None
        if isinstance(value, Mapping):
            return self._object(value, path, levels, referred)
        if isinstance(value, (list, tuple)):
            return self._list(value, path, levels, referred)
        try:
            return None if value is None else read_condition_value(value)
        except DocumentError as error:
            self.problems += (Problem(path, problem.message) for problem in error.problems)
            return None

    def _stop(self, path: str, levels: int) -> None:
        if not levels:
            self._refuse(path, f"Nest logic at most {MAX_LOGIC_DEPTH} deep.")
        elif self._left == -1:
            self._refuse(path, f"Use at most {MAX_LOGIC_NODES} values and operations.")

    def _refuse(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))

    def _list(
        self, items: Iterable[object], path: str, levels: int, referred: tuple[str, ...]
    ) -> list[object]:
        read = []
        for place, item in enumerate(items):
            if self._left < 0:
                break
            read.append(self.read(item, f"{path}[{place}]", levels - 1, referred))
        return read

    def _object(
        self, value: Mapping[str, object], path: str, levels: int, referred: tuple[str, ...]
    ) -> object:
        if len(value) != 1:
            return self._members(value, path, levels, referred)
        ((name, argument),) = value.items()
        if name == "$ref":
            return self._reference(argument, path, levels, referred)
        within = f"{path}.{quote(name)}" if path else quote(name)
        self._check(name, argument, within)
        return {name: self.read(argument, within, levels - 1, referred)}

    def _members(
        self, value: Mapping[str, object], path: str, levels: int, referred: tuple[str, ...]
    ) -> dict[str, object]:
        read = {}
        for name, member in value.items():
            if self._left < 0:
                break
            within = f"{path}.{quote(name)}" if path else quote(name)
            self.read(name, within, levels, referred)
            read[name] = self.read(member, within, levels - 1, referred)
        return read

    def _check(self, name: str, argument: object, path: str) -> None:
        if name not in ARITIES:
            known = join_quoted(sorted(ARITIES), most=50)
            self._refuse(path, f"There is no operation '{quote(name)}'; use one of: {known}.")
            return
        least, most = ARITIES[name]
        count = len(argument) if isinstance(argument, (list, tuple)) else 1
        if not least <= count <= most and not (name in SPREADING and count == 1):
            self._refuse(path, f"Give '{name}' {_wanted(least, most)} arguments, not {count}.")

    def _reference(self, name: object, path: str, levels: int, referred: tuple[str, ...]) -> object:
        within = f"{path}.$ref" if path else "$ref"
        if not isinstance(name, str) or name not in self._evaluators:
            self._refuse(within, f"There is no evaluator '{quote(name)}'.")
        elif name in referred:
            cycle = " → ".join(map(quote, (*referred, name)))
            self._refuse(within, f"Evaluators must not refer to themselves: {cycle}.")
        else:
            return self.read(self._evaluators[name], path, levels - 1, (*referred, name))
        return None
