"""Unleash's dependencies: a toggle is off unless its parents are as it wants them."""

from collections.abc import Mapping
from dataclasses import dataclass

from flags.importers.base import quote, refuse
from flags.importers.building import Document
from flags.importers.unleash.shape import Object, objects_in, switch_in, text_in, texts_in
from flags.importers.unleash.variants import OFF, ON, Variants


class Unsatisfiable(ValueError):
    """No state of the parents satisfies the toggle; the text says why."""


@dataclass(frozen=True, slots=True)
class Parent:
    """What a toggle needs to know of another."""

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
    """Whoever gets none of the parent's variants has the one that is wanted, whichever it is."""
    return {"flag": parent.name, "variants": variants}


def _wanted_off(parent: Parent, names: list[str], path: str) -> Document:
    """Unleash asks for the variant of a parent that is off too, by the bucket alone."""
    matching = parent.variants.named(names)
    if names and parent.variants.has_any and len(matching) < len(parent.variants.named([])):
        if not matching:
            raise Unsatisfiable(f"{path}: the parent has none of the variants")
        refuse(path, "some variants of a parent that is off cannot be asked for")
    return _wanted(parent, [OFF])
