"""Two edits of one configuration, brought together: each keeps what the other did not touch.

Three plain documents in (what both started from, theirs, mine), one out. Rules are the same by
their id, single users by their key, prerequisites by their flag, everything else by its name.
Where both changed the same thing differently, that is a clash, and ``prefer`` says whose stands.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

Document: TypeAlias = Mapping[str, Any]
_MISSING: Final = object()
ORDER: Final = "order"


class Side(StrEnum):
    """Whose version stands where both changed the same."""

    MINE = "mine"
    THEIRS = "theirs"


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
    """The document of both edits, and where they clashed."""

    document: dict[str, Any]
    clashes: tuple[Clash, ...] = ()


def merge(base: Document, theirs: Document, mine: Document, *, prefer: Side = Side.MINE) -> Merged:
    """Bring two valid configurations together that both started from ``base``."""
    merging = _Merging(prefer)
    document: dict[str, Any] = {}
    for name in dict.fromkeys([*mine, *theirs]):
        sides = _sides(name, base, theirs, mine)
        found = _FIELDS.get(name, _Merging.whole)(merging, *sides, (name, "", ""))
        if found is not _MISSING:
            document[name] = found
    return Merged(document, tuple(merging.clashes))


_Place: TypeAlias = tuple[str, str, str]
_Merge: TypeAlias = Callable[["_Merging", Any, Any, Any, _Place], Any]


@dataclass
class _Merging:
    """One merge under way."""

    prefer: Side
    clashes: list[Clash] = field(default_factory=list)

    def whole(self, base: Any, theirs: Any, mine: Any, place: _Place) -> Any:
        """Something that has no parts: whoever changed it, did."""
        if _same(theirs, base) or _same(theirs, mine):
            return mine
        if _same(mine, base):
            return theirs
        shown = (None if one is _MISSING else one for one in (theirs, mine))
        self.clashes.append(Clash(*place, *shown))
        return mine if self.prefer is Side.MINE else theirs

    def rule(self, base: Any, theirs: Any, mine: Any, place: _Place) -> Any:
        """A rule field by field; as a whole where someone added or removed it."""
        if any(one is _MISSING for one in (base, theirs, mine)):
            return self.whole(base, theirs, mine, place)
        found = {
            name: self.whole(*_sides(name, base, theirs, mine), (place[0], place[1], name))
            for name in dict.fromkeys([*mine, *theirs])
        }
        return {name: value for name, value in found.items() if value is not _MISSING}

    def listed(
        self, lists: tuple[Any, Any, Any], identity: str, merge_one: _Merge, name: str
    ) -> list[Any]:
        """Parts that have an identity, and the order they stand in."""
        base, theirs, mine = (_by(identity, one) for one in lists)
        found = {}
        for key in dict.fromkeys([*mine, *theirs]):
            one = merge_one(self, *_sides(key, base, theirs, mine), (name, key, ""))
            if one is not _MISSING:
                found[key] = one
        orders = [[key for key in one if key in found] for one in (base, theirs, mine)]
        return [found[key] for key in self._order(orders[0], orders[1], orders[2], name)]

    def _order(self, base: list[str], theirs: list[str], mine: list[str], name: str) -> list[str]:
        """The order of whoever moved something, with what the other one added after the part it
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


def _rules(merging: _Merging, base: Any, theirs: Any, mine: Any, place: _Place) -> Any:
    return merging.listed((base, theirs, mine), "id", _Merging.rule, place[0])


def _prerequisites(merging: _Merging, base: Any, theirs: Any, mine: Any, place: _Place) -> Any:
    found = merging.listed((base, theirs, mine), "flag", _Merging.whole, place[0])
    return found or _MISSING


def _targets(merging: _Merging, base: Any, theirs: Any, mine: Any, place: _Place) -> Any:
    """User by user; whoever comes in goes to the first target of the variant."""
    if _same(theirs, base) or _same(theirs, mine):
        return mine
    if _same(mine, base):
        return theirs
    old, new, own = (_singled_out(one) for one in (base, theirs, mine))
    found = {
        key: merging.whole(*_sides(key, old, new, own), (place[0], key, ""))
        for key in dict.fromkeys([*own, *new])
    }
    keys: dict[str, list[str]] = {}
    for key, variant in found.items():
        if variant is not _MISSING:
            keys.setdefault(variant, []).append(key)
    return [{"variant": variant, "keys": users} for variant, users in keys.items()]


_FIELDS: Final[dict[str, _Merge]] = {
    "rules": _rules,
    "prerequisites": _prerequisites,
    "targets": _targets,
}


def _sides(name: str, base: Document, theirs: Document, mine: Document) -> tuple[Any, Any, Any]:
    """What each has under a name."""
    return base.get(name, _MISSING), theirs.get(name, _MISSING), mine.get(name, _MISSING)


def _singled_out(targets: Any) -> dict[str, str]:
    known = () if targets is _MISSING else targets
    return {key: target["variant"] for target in known for key in target["keys"]}


def _by(identity: str, parts: Any) -> dict[str, Any]:
    return {} if parts is _MISSING else {one[identity]: one for one in parts}


def _has_moved(before: list[str], after: list[str]) -> bool:
    """Whether what both have stands in another order."""
    return [one for one in before if one in after] != [one for one in after if one in before]


def _same(one: Any, other: Any) -> bool:
    """As texts: in Python 1 equals True."""
    if one is _MISSING or other is _MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
