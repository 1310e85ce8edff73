"""One of Unleash's toggles, as a flag."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flags.importers.base import PlannedFlag, quote, refuse
from flags.importers.building import ALWAYS, Document
from flags.importers.unleash.parents import Parent, Unsatisfiable, read_parents
from flags.importers.unleash.shape import NeverHolds, Object, list_in, objects_in, switch_in
from flags.importers.unleash.strategies import Segments, read_parameters, read_strategy
from flags.importers.unleash.variants import OFF, ON, Variants, read_split

_KINDS: Final = {
    "release": "release",
    "experiment": "experiment",
    "operational": "operational",
    "kill-switch": "kill_switch",
    "permission": "permission",
}


@dataclass(slots=True)
class Toggle:
    """A toggle, read but for its parents; ``notes`` say which strategies match nobody."""

    name: str
    node: Object
    enabled: bool
    kind: str | None
    rules: list[Document]
    otherwise: Document
    variants: Variants
    notes: list[str] = field(default_factory=list)

    @property
    def as_parent(self) -> Parent:
        has_parents = bool(list_in(self.node, "dependencies"))
        return Parent(self.name, self.variants, has_parents=has_parents)

    def plan(self, parents: Mapping[str, Parent | None]) -> PlannedFlag:
        """The flag. Raises NotExpressible."""
        depends: Document = {}
        rules = self.rules
        try:
            wanted = read_parents(self.node, parents)
            depends = {"prerequisites": wanted} if wanted else {}
        except Unsatisfiable as never:
            self.notes.append(f"{never}; it is off for everybody, as there")
            rules = [_closing(str(never)), *rules]
        configuration = {
            "enabled": self.enabled,
            "off_variant": OFF,
            "targets": [],
            "rules": rules,
            "fallthrough": self.otherwise,
            **depends,
        }
        return PlannedFlag(self.name, self._definition, configuration)

    @property
    def _definition(self) -> Document:
        described = self.node.get("description")
        return {
            "key": self.name,
            "value_type": "boolean",
            "variants": self.variants.documents,
            **({"description": described} if isinstance(described, str) else {}),
            **({"kind": self.kind} if self.kind else {}),
        }


def read_toggle(name: str, node: Object, segments: Segments) -> Toggle:
    """The toggle. Raises NotExpressible."""
    variants = Variants()
    served = read_split(node, "", variants=variants, stickiness="", seed=name) or {"variant": ON}
    enabled, kind = switch_in(node, "enabled", default=None), _read_kind(node)
    toggle = Toggle(name, node, enabled, kind, [], served, variants)
    strategies = list(objects_in(node, "strategies"))
    for number, (strategy, path) in enumerate(strategies, start=1):
        own = _own_variants(strategy, path, name, variants)
        try:
            admission = read_strategy(strategy, path, flag=name, segments=segments)
        except NeverHolds as never:
            toggle.notes.append(f"{never}; this strategy matches nobody, as there")
            continue
        title = _title(strategy)
        toggle.rules.append(
            {"id": f"unleash-{number}", **title, **admission.document, "serve": own or served}
        )
    if strategies:
        toggle.otherwise = {"variant": OFF}
    return toggle


def _own_variants(strategy: Object, path: str, flag: str, variants: Variants) -> Document | None:
    if not list_in(strategy, "variants", f"{path}."):
        return None
    parameters = read_parameters(strategy, path)
    return read_split(
        strategy,
        f"{path}.",
        variants=variants,
        stickiness=parameters.get("stickiness", "default") or "random",
        seed=parameters.get("groupId", flag),
    ) or {"variant": ON}


def _title(strategy: Object) -> Document:
    title = strategy.get("title") or strategy.get("name")
    words = " ".join(str(title).split())
    return {"name": words[:200]} if words.isprintable() else {}


def _closing(reason: str) -> Document:
    name = " ".join(reason.split())[:200]
    rule = {"id": "unleash-0", "when": ALWAYS, "serve": {"variant": OFF}}
    return {**rule, "name": name} if name.isprintable() else rule


def _read_kind(node: Object) -> str | None:
    kind = node.get("type")
    if kind is not None and not isinstance(kind, str):
        refuse("type", f"expected a text, found {quote(kind)}")
    return _KINDS.get(kind or "")
