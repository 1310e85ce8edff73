"""Two edits of one document, brought together: each keeps what the other did not touch.

Three plain documents in (what both started from, theirs, mine), one out. A document is merged field
by field; a table says of which fields the parts are merged, and how. Where both changed the same
thing differently, that is a clash, and ``prefer`` says whose stands.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

Document: TypeAlias = Mapping[str, Any]
MISSING: Final = object()
ORDER: Final = "order"


class Side(StrEnum):
    MINE = "mine"
    THEIRS = "theirs"


def side_of(text: str) -> Side:
    return Side.THEIRS if text == Side.THEIRS else Side.MINE


@dataclass(frozen=True, slots=True)
class Clash:
    """Both changed the same thing: ``field`` of the document, the key of the part of it (a rule's
    id, a user, a flag) and the part's own field; empty where it is all of it. None is nothing."""

    field: str
    key: str
    part: str
    theirs: Any
    mine: Any


@dataclass(frozen=True, slots=True)
class Merged:
    document: dict[str, Any]
    clashes: tuple[Clash, ...] = ()


Place: TypeAlias = tuple[str, str, str]
Merge: TypeAlias = Callable[["Merging", Any, Any, Any, Place], Any]
Parts: TypeAlias = Mapping[str, Merge]
WHOLE: Final[Parts] = {}


def merge(
    base: Document,
    theirs: Document,
    mine: Document,
    *,
    parts: Parts = WHOLE,
    prefer: Side = Side.MINE,
) -> Merged:
    """Bring two valid documents together that both started from ``base``."""
    merging = Merging(prefer)
    document: dict[str, Any] = {}
    for name in dict.fromkeys([*mine, *theirs]):
        merge_one = parts.get(name, Merging.whole)
        found = merge_one(merging, *sides(name, base, theirs, mine), (name, "", ""))
        if found is not MISSING:
            document[name] = found
    return Merged(document, tuple(merging.clashes))


@dataclass
class Merging:
    prefer: Side
    clashes: list[Clash] = field(default_factory=list)

    def whole(self, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
        """Something without parts: the side that changed it wins."""
        if _same(theirs, base) or _same(theirs, mine):
            return mine
        if _same(mine, base):
            return theirs
        shown = (None if one is MISSING else one for one in (theirs, mine))
        self.clashes.append(Clash(*place, *shown))
        return mine if self.prefer is Side.MINE else theirs

    def fields(self, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
        """An object field by field; as a whole where someone added or removed it."""
        if any(one is MISSING for one in (base, theirs, mine)):
            return self.whole(base, theirs, mine, place)
        first, second, _part = place
        found = {
            name: self.whole(
                *sides(name, base, theirs, mine),
                (first, second, name) if second else (first, name, ""),
            )
            for name in dict.fromkeys([*mine, *theirs])
        }
        return {name: value for name, value in found.items() if value is not MISSING}

    def members(self, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
        """A list of texts that is a set: what one added or removed, the other did not touch."""
        if not all(isinstance(one, list) for one in (base, theirs, mine)):
            return self.whole(base, theirs, mine, place)
        kept = [one for one in mine if one in theirs or one not in base]
        return kept + [one for one in theirs if one not in base and one not in kept]

    def listed(
        self, lists: tuple[Any, Any, Any], identity: str, merge_one: Merge, name: str
    ) -> list[Any]:
        base, theirs, mine = (_by(identity, one) for one in lists)
        found = {}
        for key in dict.fromkeys([*mine, *theirs]):
            one = merge_one(self, *sides(key, base, theirs, mine), (name, key, ""))
            if one is not MISSING:
                found[key] = one
        orders = [[key for key in one if key in found] for one in (base, theirs, mine)]
        return [found[key] for key in self._order(orders[0], orders[1], orders[2], name)]

    def _order(self, base: list[str], theirs: list[str], mine: list[str], name: str) -> list[str]:
        """The order of who moved something, with what the other one added after the part it
        stood after."""
        they_moved, i_moved = _has_moved(base, theirs), _has_moved(base, mine)
        if they_moved and i_moved and _has_moved(theirs, mine):
            self.clashes.append(Clash(name, "", ORDER, theirs, mine))
            i_moved = self.prefer is Side.MINE
        leading, other = (theirs, mine) if they_moved and not i_moved else (mine, theirs)
        order = list(leading)
        for index, key in enumerate(other):
            if key not in order:
                before = next((one for one in reversed(other[:index]) if one in order), None)
                order.insert(0 if before is None else order.index(before) + 1, key)
        return order


def by_identity(identity: str, merge_one: Merge) -> Merge:
    def merge_list(merging: Merging, base: Any, theirs: Any, mine: Any, place: Place) -> Any:
        return merging.listed((base, theirs, mine), identity, merge_one, place[0])

    return merge_list


def sides(name: str, base: Document, theirs: Document, mine: Document) -> tuple[Any, Any, Any]:
    return base.get(name, MISSING), theirs.get(name, MISSING), mine.get(name, MISSING)


def _by(identity: str, parts: Any) -> dict[str, Any]:
    return {} if parts is MISSING else {one[identity]: one for one in parts}


def _has_moved(before: list[str], after: list[str]) -> bool:
    return [one for one in before if one in after] != [one for one in after if one in before]


def _same(one: Any, other: Any) -> bool:
    """As texts: in Python 1 equals True."""
    if one is MISSING or other is MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
