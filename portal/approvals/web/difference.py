"""What differs between two JSON documents, place by place."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

MOST = 200
LONGEST = 100_000
_NAMES = ("id", "key", "name")


@dataclass(frozen=True, slots=True)
class Difference:
    """One place. ``before`` and ``after`` are JSON texts; empty where there is nothing."""

    path: str
    before: str
    after: str


def differences(before: object, after: object) -> list[Difference]:
    """Every place that differs, in reading order; the first 200."""
    found: list[Difference] = []
    for difference in _walk("", before, after):
        if len(found) == MOST:
            break
        found.append(difference)
    return found


def shown(document: object) -> str:
    """A document as people read it; very long ones are cut and say so."""
    text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True)
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST] + "\n" + _("… cut here; the API has all of it.")


_MISSING = object()


def _walk(path: str, before: object, after: object) -> Iterator[Difference]:
    if before == after and type(before) is type(after):
        return
    pairs = _pairs(before, after)
    if pairs is None:
        yield Difference(path or _("everything"), _text(before), _text(after))
        return
    for step, one, other in pairs:
        yield from _walk(f"{path}{step}" if path else step.lstrip("."), one, other)
    if isinstance(before, list) and isinstance(after, list):
        yield from _order(path, before, after)


def _pairs(before: object, after: object) -> list[tuple[str, Any, Any]] | None:
    """The parts of two objects or lists, side by side; None where they cannot be compared so."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [*before, *(name for name in after if name not in before)]
        return [
            (f".{name}", before.get(name, _MISSING), after.get(name, _MISSING)) for name in names
        ]
    if isinstance(before, list) and isinstance(after, list):
        one, other = _by_name(before), _by_name(after)
        if one is None or other is None:
            one, other = dict(enumerate(before)), dict(enumerate(after))
        names = [*one, *(name for name in other if name not in one)]
        return [(f"[{name}]", one.get(name, _MISSING), other.get(name, _MISSING)) for name in names]
    return None


def _by_name(items: list[Any]) -> dict[Any, Any] | None:
    """The items of a list by what names them, where they all have such a name of their own."""
    for field in _NAMES:
        names = [item.get(field) if isinstance(item, Mapping) else None for item in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return dict(zip(names, items, strict=True))
    return None


def _order(path: str, before: list[Any], after: list[Any]) -> Iterator[Difference]:
    """The same named items in another order: for rules that is a change."""
    one, other = _by_name(before), _by_name(after)
    if one is None or other is None:
        return
    shared = [name for name in one if name in other]
    now = [name for name in other if name in one]
    if shared != now:
        yield Difference(_("{path} (order)").format(path=path), _text(shared), _text(now))


def _text(value: object) -> str:
    if value is _MISSING:
        return ""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 2000 else text[:2000] + " …"
