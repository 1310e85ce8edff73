"""What a file of another product becomes before anything is stored: plain documents and a report.

Importers are pure: a parsed file in, an ``ImportPlan`` out. They check only what they translate;
whether the documents are valid flags is for the engine to say, when they are stored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias


class FileRefused(ValueError):
    """The file as a whole is not what the format says. The text is one sentence for people."""


class NotExpressible(ValueError):
    """One format cannot say what a flag of the other does. The text is the reason, for people."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)


def refuse(path: str, reason: str) -> NoReturn:
    raise NotExpressible(path, reason)


@dataclass(frozen=True, slots=True)
class PlannedFlag:
    """A flag to create or change, as documents of the engine.

    ``definition`` holds only the fields that the file speaks of; others stay as they are.
    ``configuration`` is the one for the chosen environment, None where the file has none for it;
    without a salt it keeps the flag's own.
    """

    key: str
    definition: Mapping[str, object]
    configuration: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Skipped:
    flag: str
    reason: str


@dataclass(frozen=True, slots=True)
class SkippedDependency:
    key: str
    reason: str


TWICE: Final = "the file has this flag twice; the first counts"
_DEPENDENCY_TWICE: Final = "the file has this key twice; the first counts"


@dataclass(slots=True)
class PlannedDependencies:
    """The segments of a file, or its exclusion groups, by their keys: documents of the engine.

    Each says all that the thing does, its lists included. What people call it stays as it is where
    the document has no name and no description.
    """

    documents: dict[str, Mapping[str, object]] = field(default_factory=dict)
    skipped: list[SkippedDependency] = field(default_factory=list)

    def add(self, key: str, document: Mapping[str, object]) -> None:
        if key in self.documents:
            self.skipped.append(SkippedDependency(key, _DEPENDENCY_TWICE))
        else:
            self.documents[key] = document

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]]) -> "PlannedDependencies":
        return cls({one["key"]: one for one in documents})


@dataclass(slots=True)
class ImportPlan:
    """What a file asks for. Every flag of the file stands in ``flags`` or in ``skipped``.

    ``keys`` are those of both: what the file speaks of. ``segments`` and ``groups`` are those that
    its flags may refer to; they are the project's, in every environment. ``notes`` say what
    was taken over differently, or not at all, without changing any answer.
    """

    source: str
    flags: list[PlannedFlag] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    segments: PlannedDependencies = field(default_factory=PlannedDependencies)
    groups: PlannedDependencies = field(default_factory=PlannedDependencies)

    @property
    def document(self) -> dict[str, object]:
        flags = [
            {"key": f.key, "definition": f.definition, "configuration": f.configuration}
            for f in self.flags
        ]
        dependencies = {"segments": self.segments.documents, "groups": self.groups.documents}
        return {
            "source": self.source,
            "flags": flags,
            "keys": sorted(self.keys),
            # Left out where there are none: requests that are open keep the digest that they had.
            **{name: list(found.values()) for name, found in dependencies.items() if found},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ImportPlan":
        flags = [PlannedFlag(**flag) for flag in document["flags"]]
        segments, groups = (
            PlannedDependencies.of(document.get(n, [])) for n in ("segments", "groups")
        )
        return cls(
            document["source"],
            flags,
            keys=set(document["keys"]),
            segments=segments,
            groups=groups,
        )

    def add(self, flag: PlannedFlag) -> None:
        if flag.key in self.keys:
            self.skipped.append(Skipped(flag.key, TWICE))
            return
        self.keys.add(flag.key)
        self.flags.append(flag)

    def skip(self, key: str, reason: str) -> None:
        self.keys.add(key)
        self.skipped.append(Skipped(key, reason))


def quote(value: object, most: int = 60) -> str:
    """A value of the file as it may stand in a report: short, printable, its type when not text."""
    if not isinstance(value, str):
        kinds = {dict: "an object", list: "a list", type(None): "null"}
        return kinds.get(type(value)) or str(value)[:most].lower()
    printable = ascii(value[:most])[1:-1]
    return f"'{printable}…'" if len(value) > most else f"'{printable}'"


def listed(names: list[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(quote(name).strip("'") for name in names[:most]) + more


# Conditions of ours, as documents, put together by importers.


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
    with_values = {"values": list(values)} if values else {}
    return {"attribute": attribute, "operator": name, **with_values}


def combine(conditions: list[Document]) -> Document:
    if len(conditions) == 1:
        return conditions[0]
    nested = [c["all"] if set(c) == {"all"} else [c] for c in conditions]
    return {"all": [condition for group in nested for condition in group]}


def any_of(conditions: list[Document]) -> Document:
    return conditions[0] if len(conditions) == 1 else {"any": conditions}


def negate(condition: Document) -> Document:
    opposite = _NEGATED.get(condition.get("operator", ""))
    if opposite:
        return {**condition, "operator": opposite}
    inner: Document = condition.get("not", {"not": condition})
    return inner
