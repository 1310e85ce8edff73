import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

from flags.engine.document import DEFAULT_BUCKETING, ByLogic, LogicTest
from flags.transfer.exporters.base import Corpus, refuse
from flags.transfer.exporters.flagd.logic import (
    Logic,
    attribute,
    either,
    is_large,
    is_unit,
    is_unit_among,
    unit_text,
    unplaceable,
)
from flags.transfer.importers.base import NotExpressible

MAX_INLINED: Final = 200
"""Flags and segments written into one flag, each as often as it is referred to."""

_EVALUATOR_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")

Found = TypeVar("Found")


class _Guards(NamedTuple):
    is_unit: Logic
    text: Logic
    odd: Logic


@lru_cache(maxsize=1024)
def _guards(path: str) -> _Guards:
    """What is asked of an attribute to bucket by: the same for all flags."""
    value = attribute(path)
    return _Guards(is_unit(value), unit_text(value), unplaceable(value))


@dataclass(slots=True)
class Writing:
    corpus: Corpus
    units: dict[str, None] = field(default_factory=dict)
    """The attributes whose value has to be one that flagd takes as it is."""
    evaluators: dict[str, Logic] = field(default_factory=dict)
    used: dict[tuple[str, str], object] = field(default_factory=dict)
    """What was looked up, by kind and key; None for what is not there."""
    _open: list[tuple[str, str]] = field(default_factory=list)
    _inlined: int = 0

    @property
    def is_inside(self) -> bool:
        return bool(self._open)

    def unit(self, path: str) -> Logic:
        value = attribute(path)
        self.units[path] = None
        return value

    def is_unit(self, path: str) -> Logic:
        self.unit(path)
        return self.named(f"unit_{path}", _guards(path).is_unit)

    def unit_text(self, path: str) -> Logic:
        self.unit(path)
        return self.named(f"text_{path}", _guards(path).text)

    def named(self, name: str, logic: Logic) -> Logic:
        """A reference to logic that flags share, where there may be one; no "$" is in it.

        flagd puts evaluators in their place as text, by a regular expression, and in any order:
        so their names and contents mean nothing to it, and none refers to another.
        """
        in_another = any(kind == "segment" for kind, _key in self._open)
        if in_another or not isinstance(logic, dict) or not _EVALUATOR_NAME.fullmatch(name):
            return logic
        self.evaluators[name] = logic
        return {"$ref": name}

    def segment(self, key: str, write: Callable[["Writing"], Logic]) -> Logic:
        """What ``write`` gives for a segment, made once for all flags. Raises NotExpressible."""
        if self._open:
            return self.inside("segment", key, lambda: write(self))
        known = self.corpus.written.get(key)
        if known is None:
            inner = Writing(self.corpus)
            try:
                logic = inner.inside("segment", key, lambda: write(inner))
            finally:
                self.used.update(inner.used)
            known = self.corpus.written[key] = (logic, inner, "$" not in json.dumps(logic))
        logic, inner, may_be_named = known
        self.used.update(inner.used)
        self.units.update(inner.units)
        return self.named(f"segment_{key}", logic) if may_be_named else logic

    def is_listed(self, path: str, keys: Collection[str]) -> Logic:
        value = self.unit(path) if any(map(is_large, keys)) else attribute(path)
        return is_unit_among(value, keys)

    def unplaceable_units(self) -> Logic:
        """Whether any unit is one that flagd would place elsewhere."""
        return either([self.named(f"odd_{path}", _guards(path).odd) for path in self.units])

    def look_up(self, kind: str, key: str, shelf: Mapping[str, Found]) -> Found | None:
        """What lies there; that it was asked for is remembered."""
        found = shelf.get(key)
        self.used[kind, key] = found
        return found

    def inside(self, kind: str, key: str, write: Callable[[], Logic]) -> Logic:
        self._inlined += 1
        if (kind, key) in self._open:
            refuse(f"it refers to itself by the {kind} '{key}'")
        if self._inlined > MAX_INLINED:
            refuse(f"it refers to more than {MAX_INLINED} flags and segments, one by another")
        self._open.append((kind, key))
        try:
            return write()
        except NotExpressible as inner:
            text = str(inner)
            refuse(text if text.startswith("it asks") else f"it asks the {kind} '{key}': {text}")
        finally:
            self._open.pop()


# Logic that a flag has itself, passed on: where flagd makes the same of it.


# Operations that give an answer whatever they are given.
_TAKES_EVERYTHING: Final = frozenset(
    {"var", "missing", "!", "!!", "==", "===", "!=", "!==", "<", "<=", ">", ">=", "and", "or"}
    | {"if", "?:", "starts_with", "ends_with", "sem_ver", "fractional"}
)


def write_choice(serve: ByLogic) -> Logic:
    logic = serve.logic.value
    _check_bucketing(logic, serve.bucketing)
    return logic


def write_condition(test: LogicTest) -> Logic:
    """Whether the logic gives what counts as true. Raises NotExpressible.

    Here logic without an answer is false; in flagd it ends the whole evaluation.
    """
    logic = test.logic.value
    _check_bucketing(logic, test.bucketing)
    for name, arguments in operations(logic):
        if name not in _TAKES_EVERYTHING and not (name == "in" and _is_in_list(arguments)):
            refuse(f"in flagd a condition with '{name}' may have no answer at all")
    return {"!!": [logic]}


def speaks_of_its_flag(logic: Logic) -> bool:
    """Whether it gives something else in another flag: by flagd's properties, or as a bucket."""
    return any(_is_of_its_flag(name, arguments) for name, arguments in operations(logic))


def _is_of_its_flag(name: str, arguments: list[Any]) -> bool:
    if name == "fractional":
        return not isinstance(arguments[0], (str, dict)) or arguments[0] is None
    first = arguments[0] if arguments else ""
    return name == "var" and (not isinstance(first, str) or first[:6] in ("", "$flagd"))


def operations(logic: Logic) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(logic, list):
        for item in logic:
            yield from operations(item)
    elif isinstance(logic, dict) and len(logic) == 1:
        ((name, given),) = logic.items()
        arguments = given if isinstance(given, list) else [given]
        yield name, arguments
        yield from operations(arguments)


def _check_bucketing(logic: Logic, bucketing: str) -> None:
    has_buckets = any(name == "fractional" for name, _arguments in operations(logic))
    if has_buckets and bucketing != DEFAULT_BUCKETING:
        refuse(f"its logic splits as the generation '{bucketing}' of flagd does")


def _is_in_list(arguments: list[Any]) -> bool:
    where = arguments[1]
    return isinstance(where, list) and not any(isinstance(one, (list, dict)) for one in where)
