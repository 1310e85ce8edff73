"""Unleash's variants: variants of ours that are all true, told apart by name and payload."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flags.engine.document import RANDOM
from flags.transfer.importers.base import Document, quote, refuse
from flags.transfer.importers.unleash.constraints import (
    Object,
    is_one_of,
    objects_in,
    on_attribute,
    switch_in,
    text_in,
    texts_in,
    written,
)
from flags.transfer.importers.unleash.strategies import bucketing, units_of

ON: Final = "on"
OFF: Final = "off"
# What Unleash calls the variant of a toggle that has none, enabled or not.
_NO_VARIANT: Final = "disabled"


class Variants:
    """The variants of one flag, as they come up; the same name with another payload is another."""

    def __init__(self) -> None:
        self._found: dict[str, Document] = {
            ON: {"value": True, "served_as": _NO_VARIANT, "metadata": {"enabled": True}},
            OFF: {"value": False, "served_as": _NO_VARIANT, "metadata": {"enabled": False}},
        }

    @property
    def documents(self) -> list[Document]:
        return [{"key": key, **variant} for key, variant in self._found.items()]

    @property
    def has_any(self) -> bool:
        return len(self._found) > 2

    def named(self, names: list[str]) -> list[str]:
        ours = [(key, one) for key, one in self._found.items() if key not in (ON, OFF)]
        return [key for key, variant in ours if not names or variant["served_as"] in names]

    def add(self, node: Object, path: str) -> str:
        name = text_in(node, "name", f"{path}.")
        metadata = {"enabled": True, **_payload(node, path)}
        variant = {"value": True, "served_as": name, "metadata": metadata}
        key, number = name, 1
        while self._found.get(key, variant) != variant:
            number += 1
            key = f"{name}-{number}"
        self._found[key] = variant
        return key


def _payload(node: Object, path: str) -> Document:
    payload = node.get("payload")
    if payload is None:
        return {}
    if not isinstance(payload, Mapping):
        refuse(f"{path}.payload", f"expected an object, found {quote(payload)}")
    value = payload.get("value")
    text = json.dumps(value) if isinstance(value, dict | list) else value
    return {
        "payload": written(text, f"{path}.payload.value"),
        "payloadType": text_in(payload, "type", f"{path}.payload."),
    }


def read_split(
    parent: Object, path: str, *, variants: Variants, stickiness: str, seed: str
) -> Document | None:
    """What the list ``variants`` serves; None where there is nothing to choose from.

    A context without a unit gets one at random. ``stickiness`` is "" where the first variant
    names it.
    """
    nodes = list(objects_in(parent, "variants", path))
    shares: list[Document] = [
        {"variant": variants.add(node, place), "weight": _weight(node, place)}
        for node, place in nodes
    ]
    overrides = [
        override
        for (node, place), share in zip(nodes, shares, strict=True)
        for override in _overrides(node, place, share["variant"])
    ]
    if not any(share["weight"] for share in shares):
        if overrides:
            refuse(f"{path}variants", "all weights are 0, and only overrides choose")
        return None
    if len(shares) == 1 and not overrides:
        return {"variant": shares[0]["variant"]}
    units = units_of(stickiness or _stickiness(nodes[0][0], path))
    units = units if units[-1] == RANDOM else [*units, RANDOM]
    with_overrides = {"overrides": overrides} if overrides else {}
    return {"split": shares, **bucketing(units, seed), **with_overrides}


def _stickiness(node: Object, path: str) -> str:
    stickiness = node.get("stickiness")
    if stickiness is None:
        return "default"
    return written(stickiness, f"{path}variants[0].stickiness") or "random"


def _weight(node: Object, path: str) -> int:
    weight = node.get("weight", 0)
    is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not is_number or not 0 <= weight < 2**31 or weight != int(weight):
        refuse(f"{path}.weight", f"a weight is a whole number from 0, not {quote(weight)}")
    return int(weight)


def _overrides(node: Object, path: str, variant: str) -> list[Document]:
    return [
        {"variant": variant, "when": on_attribute(attribute, is_one_of(values))}
        for override, place in objects_in(node, "overrides", f"{path}.")
        for attribute in [text_in(override, "contextName", f"{place}.")]
        for values in [texts_in(override, "values", f"{place}.")]
        if values
    ]


# Unleash's dependencies: a toggle is off unless its parents are as it wants them.


class Unsatisfiable(ValueError):
    """No state of the parents satisfies the toggle; the text says why."""


@dataclass(frozen=True, slots=True)
class Parent:
    name: str
    variants: Variants
    has_parents: bool


def read_parents(node: Object, known: Mapping[str, Parent | None]) -> list[Document]:
    """The prerequisites. ``known`` holds the file's toggles, None for one that is left out.

    Raises Unsatisfiable, and NotExpressible.
    """
    return [
        _read_parent(dependency, path, known)
        for dependency, path in objects_in(node, "dependencies")
    ]


def _read_parent(node: Object, path: str, known: Mapping[str, Parent | None]) -> Document:
    name = text_in(node, "feature", f"{path}.")
    if name not in known:
        raise Unsatisfiable(f"{path}: the file has no parent {quote(name)}")
    parent = known[name]
    if parent is None:
        refuse(path, f"its parent {quote(name)} is not taken over either")
    if parent.has_parents:
        raise Unsatisfiable(f"{path}: the parent {quote(name)} has parents itself")
    names = texts_in(node, "variants", f"{path}.")
    if switch_in(node, "enabled", f"{path}.", default=True):
        return _wanted(parent, [ON, *parent.variants.named(names)])
    return _wanted_off(parent, names, path)


def _wanted(parent: Parent, variants: list[str]) -> Document:
    """A user who gets none of the parent's variants counts as having the one that is wanted."""
    return {"flag": parent.name, "variants": variants}


def _wanted_off(parent: Parent, names: list[str], path: str) -> Document:
    """Unleash asks for the variant of a parent that is off too, by the bucket alone."""
    matching = parent.variants.named(names)
    if names and parent.variants.has_any and len(matching) < len(parent.variants.named([])):
        if not matching:
            raise Unsatisfiable(f"{path}: the parent has none of the variants")
        refuse(path, "some variants of a parent that is off cannot be asked for")
    return _wanted(parent, [OFF])
