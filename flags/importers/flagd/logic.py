"""JSONLogic as flagd writes it: references resolved, operations and variables taken apart."""

from collections.abc import Mapping
from typing import Final

from flags.importers.base import quote, refuse

FLAG_KEY: Final = "$flagd.flagKey"

MAX_DEPTH: Final = 60
"""Twice what our own conditions may nest; far from Python's limit."""
MAX_NODES: Final = 20_000
"""Of one flag, references resolved: a few that refer to each other may stand for billions."""


class Expansion:
    """Resolves the references of one flag's expressions."""

    def __init__(self, evaluators: Mapping[str, object]) -> None:
        self._evaluators = evaluators
        self._nodes = 0

    def expand(
        self, node: object, path: str, depth: int = 0, opened: tuple[str, ...] = ()
    ) -> object:
        """``node`` with every ``{"$ref": name}`` replaced by what it names."""
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            refuse(path, "the targeting is too deep or too large")
        if isinstance(node, list):
            return [
                self.expand(item, f"{path}[{index}]", depth + 1, opened)
                for index, item in enumerate(node)
            ]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._resolve(node, path, depth, opened)
        return {
            name: self.expand(item, f"{path}.{name[:60]}", depth + 1, opened)
            for name, item in node.items()
        }

    def _resolve(
        self, node: dict[str, object], path: str, depth: int, opened: tuple[str, ...]
    ) -> object:
        name = node["$ref"]
        if len(node) != 1 or not isinstance(name, str) or name not in self._evaluators:
            refuse(f"{path}.$ref", f"there is no evaluator {quote(name)}")
        if name in opened:
            refuse(f"{path}.$ref", f"the evaluator {quote(name)} refers to itself")
        return self.expand(self._evaluators[name], path, depth + 1, (*opened, name))


def operation(node: object, path: str) -> tuple[str, list[object]]:
    """The name and arguments of ``{name: arguments}``; a single argument may stand by itself."""
    if not isinstance(node, dict) or len(node) != 1:
        refuse(path, f"expected an operation, found {quote(node)}")
    ((name, arguments),) = node.items()
    return name, arguments if isinstance(arguments, list) else [arguments]


def is_operation(node: object, *names: str) -> bool:
    """Whether ``node`` is one of these operations."""
    return isinstance(node, dict) and len(node) == 1 and next(iter(node)) in names


def read_variable(node: object, path: str) -> str | None:
    """The attribute that ``{"var": …}`` names; None where ``node`` is no such thing."""
    if not is_operation(node, "var"):
        return None
    _name, arguments = operation(node, path)
    path = f"{path}.var"
    if len(arguments) > 2 or arguments[1:] not in ([], [None]):
        refuse(path, "a default for a missing attribute is not available")
    name = arguments[0] if arguments else ""
    if not isinstance(name, str) or not name:
        refuse(path, "expected the name of an attribute")
    if name.startswith("$flagd."):
        refuse(path, f"{quote(name)} is not available here")
    if not all(name.split(".")) or any(step.isdigit() for step in name.split(".")[1:]):
        refuse(path, f"{quote(name)} is not a path of attribute names")
    return name
