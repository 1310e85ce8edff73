"""What is found out while one flag is written."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from flags.exporters.base import Corpus, NotExpressible, refuse
from flags.exporters.flagd.guards import is_large, is_unit, is_unit_among, unit_text, unplaceable
from flags.exporters.flagd.logic import Logic, attribute, either

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
    """One flag being written, with everything that it refers to."""

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
        """Whether what is being written stands in another flag, or in a segment."""
        return bool(self._open)

    def unit(self, path: str) -> Logic:
        """An attribute to bucket by."""
        value = attribute(path)
        self.units[path] = None
        return value

    def is_unit(self, path: str) -> Logic:
        """Whether an attribute names a unit."""
        self.unit(path)
        return self.named(f"unit_{path}", _guards(path).is_unit)

    def unit_text(self, path: str) -> Logic:
        """The unit that an attribute names, as it is hashed."""
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
        """Whether the unit that an attribute names is one of the keys."""
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
        """What ``write`` gives for another flag or segment. Raises NotExpressible."""
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
