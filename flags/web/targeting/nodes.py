"""The form as templates draw it: every part knows its path and its problem."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flags.engine import OPERATORS
from flags.web.targeting.reading import NUMBER_OPERATORS, SPLIT, TEXT_OPERATORS, Form
from flags.wording import OPERATOR_WORDS, VALUE_HINTS


@dataclass(frozen=True, slots=True)
class Input:
    """One input: its name, what it holds, and what is wrong with that."""

    path: str
    value: str
    error: str = ""

    @property
    def id(self) -> str:
        """An element id made from the path."""
        return self.path.replace("[", "-").replace("].", "-").replace("]", "").replace(".", "-")


@dataclass(frozen=True, slots=True)
class TestNode:
    """A test of one attribute."""

    path: str
    attribute: Input
    operator: Input
    values: Input
    way: str
    ignore_case: bool

    is_group = False

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
        text_only = self.operator.value in TEXT_OPERATORS and self.way != "json"
        return self.takes_values and not number_only and not text_only

    @property
    def hint(self) -> str:
        """What to write into the values, with an example where their shape is special."""
        return str(VALUE_HINTS.get(self.operator.value, VALUE_HINTS[""]))


@dataclass(frozen=True, slots=True)
class GroupNode:
    """Conditions of which all, any or none must hold."""

    path: str
    match: str
    bare: bool
    children: list["TestNode | GroupNode"]
    error: str
    depth: int

    is_group = True


@dataclass(frozen=True, slots=True)
class ServeNode:
    """What is served: one variant, or shares."""

    path: str
    variant: Input
    shares: list[Input]
    share_variants: list[str]
    bucket_by: Input
    algorithm: str
    seed: str | None
    error: str

    @property
    def is_split(self) -> bool:
        return self.variant.value == SPLIT

    @property
    def rows(self) -> list[tuple[str, Input]]:
        return list(zip(self.share_variants, self.shares, strict=True))

    @property
    def unit(self) -> str:
        return "" if self.algorithm == "flagd" else "%"


@dataclass(frozen=True, slots=True)
class RuleNode:
    """One rule."""

    path: str
    number: int
    id: str
    name: Input
    when: GroupNode
    percent: Input
    bucket_by: Input
    serve: ServeNode


@dataclass(frozen=True, slots=True)
class TargetNode:
    """A variant and the users who always get it."""

    path: str
    variant: Input
    keys: Input


class Drawing:
    """The whole form, ready to draw."""

    operators = tuple(OPERATOR_WORDS.items())
    split = SPLIT

    def __init__(self, form: Form, errors: Mapping[str, str], focus: str = "") -> None:
        self._errors = errors
        self.focus = focus
        self.off_variant = self._input(form, "off_variant", "off_variant")
        self.salt = _text(form, "salt")
        self.targets = [
            self._target(t, f"targets[{i}]") for i, t in enumerate(_dicts(form, "targets"))
        ]
        self.rules = [self._rule(r, i) for i, r in enumerate(_dicts(form, "rules"))]
        self.fallthrough = self._serve(form.get("fallthrough", {}), "fallthrough")

    @property
    def problems(self) -> list[str]:
        """Every problem in words, each once."""
        return list(dict.fromkeys(self._errors.values()))

    def _input(self, node: Form, name: str, path: str) -> Input:
        return Input(path, _text(node, name), self._errors.get(path, ""))

    def _target(self, target: Form, path: str) -> TargetNode:
        return TargetNode(
            path,
            self._input(target, "variant", f"{path}.variant"),
            self._input(target, "keys", f"{path}.keys"),
        )

    def _rule(self, rule: Form, index: int) -> RuleNode:
        path = f"rules[{index}]"
        audience = _dict(rule, "audience")
        return RuleNode(
            path=path,
            number=index + 1,
            id=_text(rule, "id"),
            name=self._input(rule, "name", f"{path}.name"),
            when=self._group(_dict(rule, "when"), f"{path}.when", 0),
            percent=self._input(audience, "percent", f"{path}.audience.percent"),
            bucket_by=self._input(audience, "bucket_by", f"{path}.audience.bucket_by"),
            serve=self._serve(_dict(rule, "serve"), f"{path}.serve"),
        )

    def _group(self, group: Form, path: str, depth: int) -> GroupNode:
        children = [
            self._condition(part, f"{path}.conditions[{index}]", depth)
            for index, part in enumerate(_dicts(group, "conditions"))
        ]
        match = _text(group, "match") or "all"
        bare = bool(group.get("bare"))
        return GroupNode(path, match, bare, children, self._errors.get(path, ""), depth)

    def _condition(self, part: Form, path: str, depth: int) -> TestNode | GroupNode:
        # The engine refuses what is nested deeper; drawing it would only invite more.
        if "match" in part and depth < 20:
            return self._group(part, path, depth + 1)
        return TestNode(
            path,
            self._input(part, "attribute", f"{path}.attribute"),
            self._input(part, "operator", f"{path}.operator"),
            self._input(part, "values", f"{path}.values"),
            way=_text(part, "as"),
            ignore_case=bool(part.get("ignore_case")),
        )

    def _serve(self, serve: Form, path: str) -> ServeNode:
        shares = _dicts(serve, "split")
        return ServeNode(
            path=path,
            variant=self._input(serve, "variant", f"{path}.variant"),
            shares=[
                self._input(share, "weight", f"{path}.split[{index}].weight")
                for index, share in enumerate(shares)
            ],
            share_variants=[_text(share, "variant") for share in shares],
            bucket_by=self._input(serve, "bucket_by", f"{path}.bucket_by"),
            algorithm=_text(serve, "algorithm"),
            seed=serve.get("seed"),
            error=self._errors.get(f"{path}.split", "") or self._errors.get(path, ""),
        )


def _text(node: Form, name: str) -> str:
    value = node.get(name, "")
    return value if isinstance(value, str) else ""


def _dict(node: Form, name: str) -> Form:
    value: Any = node.get(name, {})
    return value if isinstance(value, dict) else {}


def _dicts(node: Form, name: str) -> list[Form]:
    value = node.get(name, [])
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
