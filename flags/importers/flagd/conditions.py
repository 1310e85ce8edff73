"""Conditions of flagd's JSONLogic, as conditions of ours; what would not mean the same is refused.

What is taken over with care:

- ``==`` is loose. With a text that does not read as a number it is the strict comparison; with
  true and false it also matches 1, "1" and 0, "0", "". With numbers it would match every text that
  reads as one, so it is refused, as ``===`` is probably what was meant.
- ``<`` and its like take a missing attribute for 0, so ours say so explicitly.
- ``in`` looks into a text or a list, whichever the attribute is; so does our ``contains``.
"""

import operator
from collections.abc import Callable
from typing import Any, Final

from flags.importers.base import quote, refuse
from flags.importers.building import ALWAYS, NEVER, Document, combine, negate, test
from flags.importers.flagd.logic import operation, read_variable

_LOOSELY_TRUE: Final[list[object]] = [True, 1, "1"]
_LOOSELY_FALSE: Final[list[object]] = [False, 0, "0", ""]


def read_condition(node: object, path: str) -> Document:
    """The condition that holds where ``node`` is true. Raises NotExpressible."""
    if isinstance(node, bool):
        return ALWAYS if node else NEVER
    name, arguments = operation(node, path)
    reader = CONDITIONS.get(name)
    if name == "var":
        refuse(path, "whether an attribute counts as true is not available; compare it instead")
    if reader is None:
        refuse(path, f"the operation {quote(name)} is not available as a condition")
    return reader(arguments, f"{path}.{name}")


def guarded(condition: Document) -> frozenset[str]:
    """The attributes that are certainly a text, and not an empty one, where it holds."""
    if "all" in condition:
        return frozenset().union(*map(guarded, condition["all"]))
    if "any" in condition:
        groups = list(map(guarded, condition["any"]))
        return frozenset.intersection(*groups) if groups else frozenset()
    positive = condition.get("operator") in ("equals", "in", "contains", "starts_with", "ends_with")
    if positive and all(isinstance(v, str) and v for v in condition["values"]):
        return frozenset([condition["attribute"]])
    return frozenset()


def compares_numbers(condition: Document) -> bool:
    """Whether it holds an ordering, which flagd would try on texts too."""
    inner = [*condition.get("all", []), *condition.get("any", [])]
    inner += [condition["not"]] if "not" in condition else []
    return condition.get("operator") in _ORDERINGS or any(map(compares_numbers, inner))


def _variable_and_literal(arguments: list[object], path: str) -> tuple[str, object, bool]:
    """The attribute, what it is compared with, and whether the attribute came first."""
    if len(arguments) != 2:
        refuse(path, f"expected 2 arguments, found {len(arguments)}")
    names = [read_variable(a, f"{path}[{i}]") for i, a in enumerate(arguments)]
    literals = [a for a, name in zip(arguments, names, strict=True) if name is None]
    found = [name for name in names if name is not None]
    if len(found) != 1 or isinstance(literals[0], dict):
        refuse(path, "only an attribute and a fixed value can be compared")
    return found[0], literals[0], names[0] is not None


def _strictly(arguments: list[object], path: str) -> Document:
    attribute, literal, _first = _variable_and_literal(arguments, path)
    if literal is None:
        return test(attribute, "not_exists")
    if isinstance(literal, list):
        refuse(path, "a comparison with a list is never true")
    return test(attribute, "equals", literal)


def _loosely(arguments: list[object], path: str) -> Document:
    attribute, literal, _first = _variable_and_literal(arguments, path)
    if isinstance(literal, bool):
        return test(attribute, "in", *(_LOOSELY_TRUE if literal else _LOOSELY_FALSE))
    if isinstance(literal, int | float) or (isinstance(literal, str) and _reads_as_number(literal)):
        refuse(path, f"{quote(literal)} is compared loosely, with texts and numbers; use '==='")
    return _strictly(arguments, path)


def _reads_as_number(text: str) -> bool:
    """Whether JavaScript, or Go, may take it for a number; a blank text counts as 0."""
    stripped = text.strip().lower().lstrip("+-")
    if not stripped or stripped.startswith(("0x", "0o", "0b")):
        return True
    try:
        float(stripped)
    except ValueError:
        return False
    return True


def _inside(arguments: list[object], path: str) -> Document:
    attribute, literal, attribute_first = _variable_and_literal(arguments, path)
    if not attribute_first:
        if not isinstance(literal, str):
            refuse(path, f"only a text can be looked for in an attribute, not {quote(literal)}")
        return test(attribute, "contains", literal)
    if not isinstance(literal, list):
        refuse(path, "an attribute can be looked for in a list only")
    if not all(isinstance(item, str | int | float) for item in literal):
        refuse(f"{path}[1]", "the list may hold texts, numbers, true and false only")
    return test(attribute, "in", *literal) if literal else NEVER


def _affix(name: str) -> Callable[[list[object], str], Document]:
    def read(arguments: list[object], path: str) -> Document:
        attribute, literal, attribute_first = _variable_and_literal(arguments, path)
        if not attribute_first or not isinstance(literal, str) or not literal:
            refuse(path, "expected an attribute and a text that is not empty")
        return test(attribute, name, literal)

    return read


_ORDERINGS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_MIRRORED = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}


def _ordering(name: str) -> Callable[[list[object], str], Document]:
    def read(arguments: list[object], path: str) -> Document:
        if len(arguments) == 3 and name in ("lt", "lte"):
            sides = [read(arguments[:2], path), read(arguments[1:], path)]
            return combine(sides)
        attribute, literal, attribute_first = _variable_and_literal(arguments, path)
        if isinstance(literal, bool) or not isinstance(literal, int | float):
            refuse(path, f"only numbers can be ordered, not {quote(literal)}")
        return _bound(attribute, name if attribute_first else _MIRRORED[name], literal)

    return read


def _bound(attribute: str, name: str, number: float) -> Document:
    bound = test(attribute, name, number)
    missing_counts = _ORDERINGS[name](0, number)
    return {"any": [bound, test(attribute, "not_exists")]} if missing_counts else bound


def _group(name: str) -> Callable[[list[object], str], Document]:
    def read(arguments: list[object], path: str) -> Document:
        if not arguments:
            refuse(path, "expected at least one condition")
        inner = [read_condition(one, f"{path}[{i}]") for i, one in enumerate(arguments)]
        return inner[0] if len(inner) == 1 else {name: inner}

    return read


def _single(arguments: list[object], path: str) -> Document:
    if len(arguments) != 1:
        refuse(path, f"expected 1 argument, found {len(arguments)}")
    return read_condition(arguments[0], path)


CONDITIONS: Final[dict[str, Callable[[list[object], str], Document]]] = {
    "===": _strictly,
    "!==": lambda arguments, path: negate(_strictly(arguments, path)),
    "==": _loosely,
    "!=": lambda arguments, path: negate(_loosely(arguments, path)),
    "in": _inside,
    "starts_with": _affix("starts_with"),
    "ends_with": _affix("ends_with"),
    "<": _ordering("lt"),
    "<=": _ordering("lte"),
    ">": _ordering("gt"),
    ">=": _ordering("gte"),
    "and": _group("all"),
    "or": _group("any"),
    "!": lambda arguments, path: negate(_single(arguments, path)),
    "!!": _single,
}
