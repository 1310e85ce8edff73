"""What flagd makes of a file: our own JsonLogic stands for its library, run on what it is sent.

Its reading of a result is that of core/pkg/evaluator/json.go: null is the default variant, and a
name that is no variant is an error.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from flags.engine import Result
from flags.engine.jsonlogic import Logic, compile_logic
from flags.engine.serving import name_of
from flags.engine.state import Steps

Answer: TypeAlias = tuple[str, object]
Context: TypeAlias = Mapping[str, Any]

NOTHING: Answer = ("", None)
"""An error, or that the application shall take its own default: the same to it."""


class Flagd:
    """A file, loaded."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._flags = document["flags"]
        evaluators = document.get("$evaluators", {})
        self._logic = {
            key: compile_logic(_read(flag["targeting"], evaluators))
            for key, flag in self._flags.items()
            if "targeting" in flag
        }

    def answer(self, key: str, context: Context) -> Answer:
        """The variant's name and its value."""
        flag, name = self._flags[key], None
        if key in self._logic:
            properties = {"flagKey": key, "timestamp": 0}
            name = name_of(self._logic[key]({**context, "$flagd": properties}, Steps()))
        name = flag["defaultVariant"] if name is None else name
        return (name, flag["variants"][name]) if name in flag["variants"] else NOTHING


def _read(logic: object, evaluators: Mapping[str, object]) -> Logic:
    """The flag's logic; one that is too large for a condition of ours, too."""
    return Logic(resolved(logic, evaluators))


def resolved(value: Any, evaluators: Mapping[str, object]) -> Any:
    if isinstance(value, list):
        return [resolved(one, evaluators) for one in value]
    if isinstance(value, dict):
        if set(value) == {"$ref"}:
            assert re.fullmatch("[A-Za-z0-9_-]+", value["$ref"])
            return evaluators[value["$ref"]]
        return {name: resolved(one, evaluators) for name, one in value.items()}
    return value


def answer_of(result: Result) -> Answer:
    """What we answer."""
    return NOTHING if result.value is None else (result.label, result.value)
