"""Conditions of flagd's JSONLogic, as conditions of ours; what would not mean the same is refused.

What is taken over with care:

- ``==`` is loose. With a text that does not read as a number it is the strict comparison; with
  true and false it also matches 1, "1" and 0, "0", "". With numbers it matches every text that
  reads as one, and so do ``<`` and its like; they stay JsonLogic, as does whether an attribute
  counts as true.
- ``in`` looks into a text or a list, whichever the attribute is; so does our ``contains``.
"""

from collections.abc import Callable
from typing import Final

from flags.transfer.importers.base import ALWAYS, NEVER, Document, negate, quote, refuse, test
from flags.transfer.importers.flagd.fractional import operation, read_variable

_LOOSELY_TRUE: Final[list[object]] = [True, 1, "1"]
_LOOSELY_FALSE: Final[list[object]] = [False, 0, "0", ""]


def read_condition(node: object, path: str) -> Document:
    if isinstance(node, bool):
        return ALWAYS if node else NEVER
    name, arguments = operation(node, path)
    reader = CONDITIONS.get(name)
    if name == "var":
        read_variable(node, path)
        return {"jsonlogic": {"!!": [node]}}
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
        return {"jsonlogic": {"==": arguments}}
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


def _ordering(name: str) -> Callable[[list[object], str], Document]:
    def read(arguments: list[object], path: str) -> Document:
        names = [read_variable(a, f"{path}[{i}]") for i, a in enumerate(arguments)]
        fixed = [a for a, found in zip(arguments, names, strict=True) if found is None]
        if len(arguments) - len(fixed) != 1 or any(isinstance(a, dict | list) for a in fixed):
            refuse(path, "only an attribute and fixed values can be compared")
        return {"jsonlogic": {name: arguments}}

    return read


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
    "<": _ordering("<"),
    "<=": _ordering("<="),
    ">": _ordering(">"),
    ">=": _ordering(">="),
    "and": _group("all"),
    "or": _group("any"),
    "!": lambda arguments, path: negate(_single(arguments, path)),
    "!!": _single,
}
