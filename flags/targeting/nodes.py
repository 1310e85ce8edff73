from dataclasses import dataclass

from django.utils.translation import gettext as _

from flags.core.descriptions import OPERATOR_WORDS, condition, product, quoted
from flags.engine import DocumentError
from flags.engine.condition_parsing import read_condition
from flags.targeting.condition_nodes import (
    Conditions,
    Errors,
    FlagNode,
    GroupNode,
    Input,
    read_input,
)
from flags.targeting.documents import NOTHING, Catalogue
from flags.targeting.form import (
    CODE,
    LOGIC,
    SPLIT,
    Form,
    Problems,
    dicts_in,
    is_in_parts,
    read_json,
    text_in,
)


@dataclass(frozen=True, slots=True)
class BucketingNode:
    path: str
    bucket_by: Input
    else_by: Input
    algorithm: str
    seed: str | None

    @property
    def is_imported(self) -> bool:
        return is_in_parts(self.algorithm)

    @property
    def product(self) -> str:
        return product(self.algorithm)


@dataclass(frozen=True, slots=True)
class ShareNode:
    path: str
    variant: str
    weight: Input
    is_listed: bool


@dataclass(frozen=True, slots=True)
class ServeNode:
    path: str
    variant: Input
    shares: list[ShareNode]
    bucketing: BucketingNode
    logic: Input
    generation: str
    overrides: Input
    override_words: list[str]
    error: str

    @property
    def is_split(self) -> bool:
        return self.variant.value == SPLIT

    @property
    def is_logic(self) -> bool:
        return self.variant.value == LOGIC

    @property
    def is_code_default(self) -> bool:
        return self.variant.value == CODE

    @property
    def unit(self) -> str:
        return "" if self.bucketing.is_imported else "%"


@dataclass(frozen=True, slots=True)
class AudienceNode:
    percent: Input
    bucketing: BucketingNode
    group: Input
    group_name: str
    group_part: str
    is_given: bool


@dataclass(frozen=True, slots=True)
class RuleNode:
    path: str
    number: int
    id: str
    name: Input
    when: GroupNode
    audience: AudienceNode
    serve: ServeNode
    error: str

    @property
    def up(self) -> str:
        return f"{self.path}.up"

    @property
    def down(self) -> str:
        return f"{self.path}.down"


@dataclass(frozen=True, slots=True)
class TargetNode:
    path: str
    variant: Input
    keys: Input


class Drawing:
    operators = tuple(OPERATOR_WORDS.items())
    split, logic, code = SPLIT, LOGIC, CODE

    def __init__(
        self, form: Form, errors: Errors, focus: str = "", catalogue: Catalogue = NOTHING
    ) -> None:
        self._errors = errors
        self.focus = focus
        self.catalogue = catalogue
        conditions = Conditions(catalogue, errors)
        self.off_variant = self._input(form, "off_variant", "off_variant")
        self.salt = text_in(form, "salt")
        self.switch = text_in(form, "enabled")
        self.prerequisites: list[FlagNode] = [
            conditions.flag(one, f"prerequisites[{index}]")
            for index, one in enumerate(dicts_in(form, "prerequisites"))
        ]
        self.targets = [
            self._target(t, f"targets[{i}]") for i, t in enumerate(dicts_in(form, "targets"))
        ]
        self.rules = [self._rule(r, i, conditions) for i, r in enumerate(dicts_in(form, "rules"))]
        self.fallthrough = self._serve(_dict(form, "fallthrough"), "fallthrough")

    @property
    def problems(self) -> list[str]:
        return list(dict.fromkeys(self._errors.values()))

    def _input(self, node: Form, name: str, path: str) -> Input:
        return read_input(node, name, path, self._errors)

    def _target(self, target: Form, path: str) -> TargetNode:
        return TargetNode(
            path,
            self._input(target, "variant", f"{path}.variant"),
            self._input(target, "keys", f"{path}.keys"),
        )

    def _rule(self, rule: Form, index: int, conditions: Conditions) -> RuleNode:
        path = f"rules[{index}]"
        return RuleNode(
            path=path,
            number=index + 1,
            id=text_in(rule, "id"),
            name=self._input(rule, "name", f"{path}.name"),
            when=conditions.group(_dict(rule, "when"), f"{path}.when"),
            audience=self._audience(_dict(rule, "audience"), f"{path}.audience"),
            serve=self._serve(_dict(rule, "serve"), f"{path}.serve"),
            error=self._errors.get(path, "") or self._errors.get(f"{path}.id", ""),
        )

    def _audience(self, audience: Form, path: str) -> AudienceNode:
        group = self._input(audience, "group", f"{path}.group")
        known = self.catalogue.groups.get(group.value)
        return AudienceNode(
            percent=self._input(audience, "percent", f"{path}.percent"),
            bucketing=self._bucketing(audience, path),
            group=group,
            group_name=known.name or known.key if known else "",
            group_part=known.part if known else "",
            is_given=bool(audience.get("given")),
        )

    def _bucketing(self, node: Form, path: str) -> BucketingNode:
        return BucketingNode(
            path=path,
            bucket_by=self._input(node, "bucket_by", f"{path}.bucket_by"),
            else_by=self._input(node, "else_by", f"{path}.else_by"),
            algorithm=text_in(node, "algorithm"),
            seed=node.get("seed"),
        )

    def _serve(self, serve: Form, path: str) -> ServeNode:
        overrides = self._input(serve, "overrides", f"{path}.overrides")
        return ServeNode(
            path=path,
            variant=self._input(serve, "variant", f"{path}.variant"),
            shares=[
                self._share(share, f"{path}.split[{index}]")
                for index, share in enumerate(dicts_in(serve, "split"))
            ],
            bucketing=self._bucketing(serve, path),
            logic=self._input(serve, "logic", f"{path}.logic"),
            generation=text_in(serve, "bucketing"),
            overrides=overrides,
            override_words=override_words(overrides.value),
            error=self._errors.get(f"{path}.split", "") or self._errors.get(path, ""),
        )

    def _share(self, share: Form, path: str) -> ShareNode:
        weight = self._input(share, "weight", f"{path}.weight")
        return ShareNode(path, text_in(share, "variant"), weight, bool(share.get("listed")))


def _dict(node: Form, name: str) -> Form:
    value = node.get(name, {})
    return value if isinstance(value, dict) else {}


def override_words(text: str) -> list[str]:
    found = read_json(text, "", Problems()) if text.strip() else []
    if not isinstance(found, list):
        return []
    return [_sentence(one) for one in found if isinstance(one, dict)]


def _sentence(one: dict[str, object]) -> str:
    try:
        where = condition(read_condition(one.get("when")))
    except DocumentError as error:
        return str(error)
    return _("{variant} where {where}").format(variant=quoted(str(one.get("variant"))), where=where)
