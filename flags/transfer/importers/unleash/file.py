"""An answer of Unleash's client API: toggles one by one, so that a bad one harms no other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from flags.transfer.importers.base import (
    ALWAYS,
    TWICE,
    Document,
    FileRefused,
    ImportPlan,
    NotExpressible,
    PlannedFlag,
    Skipped,
    listed,
    quote,
    refuse,
)
from flags.transfer.importers.unleash.constraints import (
    NeverHolds,
    Object,
    list_in,
    objects_in,
    switch_in,
)
from flags.transfer.importers.unleash.segments import read_segments
from flags.transfer.importers.unleash.strategies import Segments, read_parameters, read_strategy
from flags.transfer.importers.unleash.variants import (
    OFF,
    ON,
    Parent,
    Unsatisfiable,
    Variants,
    read_parents,
    read_split,
)

# One of Unleash's toggles, as a flag.

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
    variants = Variants()
    served = read_split(node, "", variants=variants, stickiness="", seed=name) or {"variant": ON}
    enabled, kind = switch_in(node, "enabled", default=None), _read_kind(node)
    toggle = Toggle(name, node, enabled, kind, [], served, variants)
    strategies = list(objects_in(node, "strategies"))
    for number, (strategy, path) in enumerate(strategies, start=1):
        own = _own_variants(strategy, path, name, variants)
        try:
            admitted = read_strategy(strategy, path, flag=name, segments=segments)
        except NeverHolds as never:
            toggle.notes.append(f"{never}; this strategy matches nobody, as there")
            continue
        title = _title(strategy)
        toggle.rules.append(
            {"id": f"unleash-{number}", **title, **admitted, "serve": own or served}
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


_KNOWN_FIELDS = {
    "name",
    "type",
    "description",
    "enabled",
    "strategies",
    "variants",
    "dependencies",
}
_FIELDS = "fields that change no answer and are not taken over: "
_HOSTNAME = (
    "the strategy 'applicationHostname' asks for the host that the SDK runs on; here the context "
    "has to say it as 'hostname': "
)


def read(document: object) -> ImportPlan:
    file = _file(document)
    plan = ImportPlan("unleash")
    segments = _segments(file, plan)
    toggles: list[Toggle] = []
    parents: dict[str, Parent | None] = {}
    for name, node in _named(file["features"], plan):
        parents[name] = None
        try:
            toggle = read_toggle(name, node, segments)
            parents[name] = toggle.as_parent
            toggles.append(toggle)
        except NotExpressible as error:
            plan.skip(name, str(error))
    for toggle in toggles:
        _plan(plan, toggle, parents)
    _add_notes(plan, toggles)
    return plan


def _plan(plan: ImportPlan, toggle: Toggle, parents: Mapping[str, Parent | None]) -> None:
    try:
        planned = toggle.plan(parents)
    except NotExpressible as error:
        plan.skip(toggle.name, str(error))
    else:
        plan.add(planned)


def _file(document: object) -> dict[str, Any]:
    if isinstance(document, Mapping) and isinstance(document.get("events"), list):
        return _hydrated(document["events"])
    if not isinstance(document, Mapping) or not isinstance(document.get("features"), list):
        raise FileRefused(
            "This is not from Unleash's client API: expected an object with 'features'."
        )
    return dict(document)


def _hydrated(events: list[object]) -> dict[str, Any]:
    """The state after the events of the newer, incremental answer."""
    state: dict[str, dict[object, object]] = {"features": {}, "segments": {}}
    for event in events:
        if not isinstance(event, Mapping):
            raise FileRefused("This is not from Unleash's client API: an event is not an object.")
        if event.get("type") == "hydration":
            for field, identity in (("features", "name"), ("segments", "id")):
                state[field] = _by(event.get(field), identity)
        _follow(state, event)
    return {field: list(found.values()) for field, found in state.items()}


def _by(nodes: object, identity: str) -> dict[object, object]:
    if not isinstance(nodes, list) or not all(isinstance(node, Mapping) for node in nodes):
        return {}
    return {str(node.get(identity)): node for node in nodes}


def _follow(state: dict[str, dict[object, object]], event: Object) -> None:
    match event.get("type"):
        case "feature-updated":
            state["features"] |= _by([event.get("feature")], "name")
        case "feature-removed":
            state["features"].pop(str(event.get("featureName")), None)
        case "segment-updated":
            state["segments"] |= _by([event.get("segment")], "id")
        case "segment-removed":
            state["segments"].pop(str(event.get("segmentId")), None)


def _segments(file: Object, plan: ImportPlan) -> Segments:
    try:
        return read_segments(file, plan.segments)
    except NotExpressible as error:
        raise FileRefused(f"This is not from Unleash's client API: {error}.") from None


def _named(nodes: list[object], plan: ImportPlan) -> Iterator[tuple[str, Object]]:
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        name = node.get("name") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or not isinstance(name, str):
            plan.skip(f"features[{index}]", f"expected a toggle with a name, found {quote(node)}")
        elif name in seen:
            plan.skipped.append(Skipped(name, TWICE))
        else:
            seen.add(name)
            yield name, node


def _add_notes(plan: ImportPlan, toggles: list[Toggle]) -> None:
    planned = {flag.key for flag in plan.flags}
    taken = [toggle for toggle in toggles if toggle.name in planned]
    plan.notes += [f"{quote(t.name)[1:-1]}: {note}" for t in taken for note in t.notes]
    hosts = [toggle.name for toggle in taken if _asks_for_host(toggle)]
    if hosts:
        plan.notes.append(_HOSTNAME + listed(hosts))
    unused = {name: None for toggle in taken for name in toggle.node if name not in _KNOWN_FIELDS}
    if unused:
        plan.notes.append(_FIELDS + listed(list(unused)))


def _asks_for_host(toggle: Toggle) -> bool:
    strategies = toggle.node.get("strategies") or []
    return any(strategy.get("name") == "applicationHostname" for strategy in strategies)
