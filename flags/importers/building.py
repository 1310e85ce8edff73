"""Conditions of ours, as documents, put together by importers."""

from typing import Any, Final, TypeAlias

Document: TypeAlias = dict[str, Any]
ALWAYS: Final[Document] = {"all": []}
NEVER: Final[Document] = {"any": []}

_NEGATED = {
    "equals": "not_equals",
    "in": "not_in",
    "contains": "not_contains",
    "not_exists": "exists",
}
_NEGATED |= {negative: positive for positive, negative in _NEGATED.items()}


def test(attribute: str, name: str, *values: object) -> Document:
    """A test of one attribute."""
    with_values = {"values": list(values)} if values else {}
    return {"attribute": attribute, "operator": name, **with_values}


def combine(conditions: list[Document]) -> Document:
    """All of them, without a group where none is needed."""
    if len(conditions) == 1:
        return conditions[0]
    nested = [c["all"] if set(c) == {"all"} else [c] for c in conditions]
    return {"all": [condition for group in nested for condition in group]}


def any_of(conditions: list[Document]) -> Document:
    """At least one of them, without a group where none is needed."""
    return conditions[0] if len(conditions) == 1 else {"any": conditions}


def negate(condition: Document) -> Document:
    """The opposite, with the operator's own opposite where it has one."""
    opposite = _NEGATED.get(condition.get("operator", ""))
    if opposite:
        return {**condition, "operator": opposite}
    inner: Document = condition.get("not", {"not": condition})
    return inner
