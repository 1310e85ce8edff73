"""What differs between two JSON documents: places, each with what stood there and what stands now.

Items of lists are told apart by their ``id`` or ``key`` where all of them have one, so that a rule
that moved up is not shown as every rule changed; by their place otherwise.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST: Final = 200
_SHORT: Final = 80  # characters that stand on one line
_NAMES: Final = ("id", "key")


class _Missing:
    """Stands where a document has nothing, which is something else than null."""


_MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place, as in ``rules[adults].when``; a side where nothing stood is None, else JSON."""

    path: str
    before: str | None
    after: str | None


def differences(before: object, after: object) -> list[Difference]:
    """The differences in order of the documents, the first 200 of them.

    None stands for no document at all. Objects that only one side has are shown whole.
    """
    sides = (_MISSING if side is None else side for side in (before, after))
    found = []
    for difference in _walk("", *sides):
        found.append(difference)
        if len(found) == MOST:
            break
    return found


def _walk(path: str, before: object, after: object) -> Iterator[Difference]:
    left, right = _members(before, after, path), _members(after, before, path)
    if left is None or right is None:
        sides = _shown(before), _shown(after)
        if sides[0] != sides[1]:  # as texts: in Python 1 equals True
            yield Difference(path, *sides)
        return
    for name in [*left, *(name for name in right if name not in left)]:
        old, new = left.get(name, _MISSING), right.get(name, _MISSING)
        # Most of what two documents hold is the same: that needs no closer look.
        if old is _MISSING or new is _MISSING or json.dumps(old) != json.dumps(new):
            place = f"{path}{name}" if name.startswith("[") or not path else f"{path}.{name}"
            if isinstance(old, dict | list) and isinstance(new, dict | list):
                yield from _walk(place, old, new)
            else:
                yield Difference(place, _shown(old), _shown(new))
    common = [name for name in left if name in right]
    if isinstance(before, list) and common != [name for name in right if name in left]:
        yield Difference(path, _shown(list(left)), _shown(list(right)))


def _members(value: object, other: object, path: str) -> dict[str, object] | None:
    """The parts to compare one by one; None where the value is compared as a whole."""
    if isinstance(value, dict):
        alone = isinstance(other, _Missing) and not path
        return value if isinstance(other, dict) or alone else None
    if isinstance(value, _Missing):
        return {} if isinstance(other, dict) and not path else None
    if isinstance(value, list) and isinstance(other, list):
        return _items(value, other)
    return None


def _items(items: list[object], other: list[object]) -> dict[str, object] | None:
    """A list's items by name. Lists of plain values are compared as a whole."""
    for name in _NAMES:
        if _are_named(items, name) and _are_named(other, name):
            return {f"[{item[name]}]": item for item in items if isinstance(item, dict)}
    if all(isinstance(item, dict) for item in [*items, *other]):
        return {f"[{place}]": item for place, item in enumerate(items)}
    return None


def _are_named(items: list[object], name: str) -> bool:
    names = [item.get(name) if isinstance(item, dict) else None for item in items]
    return all(isinstance(one, str) for one in names) and len(set(names)) == len(names)


def _shown(value: object) -> str | None:
    if isinstance(value, _Missing):
        return None
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHORT else json.dumps(value, ensure_ascii=False, indent=2)
