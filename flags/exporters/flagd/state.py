"""What is found out while one flag is written."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from flags.exporters.base import Corpus, NotExpressible, refuse
from flags.exporters.flagd.guards import is_large, is_unit_among, unplaceable
from flags.exporters.flagd.logic import Logic, attribute, either

MAX_INLINED: Final = 200
"""Flags and segments written into one flag, each as often as it is referred to."""

Found = TypeVar("Found")


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

    def is_listed(self, path: str, keys: Collection[str]) -> Logic:
        """Whether the unit that an attribute names is one of the keys."""
        value = self.unit(path) if any(map(is_large, keys)) else attribute(path)
        return is_unit_among(value, keys)

    def unplaceable_units(self) -> Logic:
        """Whether any unit is one that flagd would place elsewhere."""
        return either([unplaceable(attribute(path)) for path in self.units])

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
