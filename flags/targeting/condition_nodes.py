"""Conditions as templates draw them: each kind names its template."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar, TypeAlias

from flags.core.descriptions import VALUE_HINTS
from flags.engine import OPERATORS
from flags.engine.operators.instants import seconds_of
from flags.targeting.documents import Catalogue
from flags.targeting.form import (
    INSTANT_OPERATORS,
    LIST_OPERATORS,
    NUMBER_OPERATORS,
    TEXT_OPERATORS,
    Form,
    dicts_in,
    text_in,
)

Errors: TypeAlias = Mapping[str, str]
_MOST_ROWS = 8


@dataclass(frozen=True, slots=True)
class Input:
    path: str
    value: str
    error: str = ""

    @property
    def id(self) -> str:
        return self.path.replace("[", "-").replace("].", "-").replace("]", "").replace(".", "-")

    @property
    def rows(self) -> int:
        lines = self.value.splitlines() or [""]
        return min(_MOST_ROWS, sum(1 + len(line) // 48 for line in lines))


def read_input(node: Form, name: str, path: str, errors: Errors) -> Input:
    return Input(path, text_in(node, name), errors.get(path, ""))


@dataclass(frozen=True, slots=True)
class DrawnCondition:
    path: str
    error: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class TestNode(DrawnCondition):
    attribute: Input
    operator: Input
    values: Input
    way: str
    ignore_case: bool

    template: ClassVar[str] = "flags/targeting/_test.html"

    @property
    def takes_values(self) -> bool:
        known = OPERATORS.get(self.operator.value)
        return known is None or known.read_values is not None

    @property
    def can_ignore_case(self) -> bool:
        known = OPERATORS.get(self.operator.value)
        return known is not None and known.ignores_case

    @property
    def can_be_written_otherwise(self) -> bool:
        number_only = self.operator.value in NUMBER_OPERATORS
        text_only = self.operator.value in TEXT_OPERATORS and self.way not in ("json", "number")
        return self.takes_values and not number_only and not text_only

    @property
    def takes_many(self) -> bool:
        return self.operator.value in LIST_OPERATORS

    @property
    def takes_numbers(self) -> bool:
        return self.operator.value in NUMBER_OPERATORS or self.way == "number"

    @property
    def takes_instant(self) -> bool:
        return self.operator.value in INSTANT_OPERATORS

    @property
    def moment(self) -> str:
        """The point in time that is written there, in UTC; empty where none is."""
        seconds = seconds_of(self.values.value.strip()) if self.takes_instant else None
        try:
            return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            return ""

    @property
    def hint(self) -> str:
        return str(VALUE_HINTS.get(self.operator.value, VALUE_HINTS[""]))


@dataclass(frozen=True, slots=True)
class SegmentNode(DrawnCondition):
    segment: Input
    name: str
    is_known: bool

    template: ClassVar[str] = "flags/targeting/_segment_test.html"


@dataclass(frozen=True, slots=True)
class Choice:
    path: str
    key: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class FlagNode(DrawnCondition):
    flag: Input
    choices: list[Choice]
    is_known: bool
    variants_error: str

    template: ClassVar[str] = "flags/targeting/_flag_test.html"


@dataclass(frozen=True, slots=True)
class LogicNode(DrawnCondition):
    logic: Input
    bucketing: str

    template: ClassVar[str] = "flags/targeting/_logic_test.html"


@dataclass(frozen=True, slots=True)
class GroupNode(DrawnCondition):
    match: str
    bare: bool
    children: "list[Node]"
    depth: int

    template: ClassVar[str] = "flags/targeting/_group.html"


Node: TypeAlias = TestNode | SegmentNode | FlagNode | LogicNode | GroupNode


@dataclass(frozen=True, slots=True)
class Conditions:
    catalogue: Catalogue
    errors: Errors

    def group(self, group: Form, path: str, depth: int = 0) -> GroupNode:
        children = [
            self._one(part, f"{path}.conditions[{index}]", depth)
            for index, part in enumerate(dicts_in(group, "conditions"))
        ]
        match = text_in(group, "match") or "all"
        error = self.errors.get(path, "")
        return GroupNode(path, match, bool(group.get("bare")), children, depth, error=error)

    def flag(self, part: Form, path: str) -> FlagNode:
        flag = read_input(part, "flag", f"{path}.flag", self.errors)
        known = self.catalogue.flags.get(flag.value)
        ticked = [text_in(one, "key") for one in dicts_in(part, "variants")]
        others = [key for key in (known.variants if known else ()) if key not in ticked]
        choices = [
            Choice(f"{path}.variants[{index}].key", key, index < len(ticked))
            for index, key in enumerate([*ticked, *others])
        ]
        problem = self.errors.get(f"{path}.variants", "")
        error = self.errors.get(path, "")
        return FlagNode(path, flag, choices, known is not None, problem, error=error)

    def _one(self, part: Form, path: str, depth: int) -> Node:
        # The engine refuses what is nested deeper; drawing it would only invite more.
        if "match" in part and depth < 20:
            return self.group(part, path, depth + 1)
        if "segment" in part:
            return self._segment(part, path)
        if "flag" in part:
            return self.flag(part, path)
        return self._logic(part, path) if "logic" in part else self._test(part, path)

    def _segment(self, part: Form, path: str) -> SegmentNode:
        segment = read_input(part, "segment", f"{path}.segment", self.errors)
        known = self.catalogue.segments.get(segment.value)
        name = known.name if known else ""
        error = self.errors.get(path, "")
        return SegmentNode(path, segment, name, known is not None, error=error)

    def _logic(self, part: Form, path: str) -> LogicNode:
        logic = read_input(part, "logic", f"{path}.logic", self.errors)
        error = self.errors.get(path, "")
        return LogicNode(path, logic, text_in(part, "bucketing"), error=error)

    def _test(self, part: Form, path: str) -> TestNode:
        return TestNode(
            path,
            read_input(part, "attribute", f"{path}.attribute", self.errors),
            read_input(part, "operator", f"{path}.operator", self.errors),
            read_input(part, "values", f"{path}.values", self.errors),
            way=text_in(part, "as"),
            ignore_case=bool(part.get("ignore_case")),
            error=self.errors.get(path, ""),
        )
