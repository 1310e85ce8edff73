"""A whole file of flagd's: its flags one by one, so that a bad one harms no other."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from flags.importers.base import (
    ImportPlan,
    NotExpressible,
    PlannedFlag,
    Refused,
    listed,
    quote,
    refuse,
)
from flags.importers.flagd.conditions import compares_numbers
from flags.importers.flagd.logic import Expansion
from flags.importers.flagd.targeting import read_rules

Document: TypeAlias = dict[str, Any]
_KNOWN_FIELDS = {"key", "state", "variants", "defaultVariant", "targeting"}
_FILE_FIELDS = {"$schema", "$evaluators", "flags"}

_DISABLED = (
    "flagd leaves disabled flags to the code's own default; here they serve their default variant "
    "while off: "
)
_ORDERED = (
    "flagd also orders texts and booleans as numbers; here only numbers are ordered (and a missing "
    "attribute counts as 0, as it does there): "
)
_FIELDS = "fields that change no answer and are not taken over: "


def read(document: object, environment: str) -> ImportPlan:
    """The plan for a flagd file; the environment does not matter. Raises Refused."""
    if not isinstance(document, Mapping) or "flags" not in document:
        raise Refused("This is not a flagd file: expected an object with 'flags'.")
    evaluators = document.get("$evaluators", {})
    if not isinstance(evaluators, Mapping):
        raise Refused("This is not a flagd file: '$evaluators' must be an object.")
    plan = ImportPlan("flagd")
    unused = {name: None for name in document if name not in _FILE_FIELDS}
    for key, flag in _flags(document["flags"]):
        try:
            plan.add(_read_flag(key, flag, evaluators))
        except NotExpressible as error:
            plan.skip(key, str(error))
            continue
        unused |= {name: None for name in flag if name not in _KNOWN_FIELDS}
    _add_notes(plan, list(unused))
    return plan


def _flags(flags: object) -> Iterable[tuple[str, Any]]:
    """Key and flag, of an object by key as well as of a list of flags that name theirs."""
    if isinstance(flags, Mapping):
        if not all(isinstance(key, str) for key in flags):
            raise Refused("This is not a flagd file: a flag's key must be a text.")
        return flags.items()
    if not isinstance(flags, list):
        raise Refused("This is not a flagd file: 'flags' must be an object or a list.")
    return [(_key_of(flag, index), flag) for index, flag in enumerate(flags)]


def _key_of(flag: object, index: int) -> str:
    key = flag.get("key") if isinstance(flag, Mapping) else None
    if not isinstance(key, str):
        raise Refused(f"This is not a flagd file: flags[{index}] has no key.")
    return key


def _add_notes(plan: ImportPlan, unused: list[str]) -> None:
    off = [f.key for f in plan.flags if f.configuration and not f.configuration["enabled"]]
    ordered = [f.key for f in plan.flags if f.configuration and _orders(f.configuration)]
    for text, names in ((_DISABLED, off), (_ORDERED, ordered), (_FIELDS, unused)):
        if names:
            plan.notes.append(text + listed(names))


def _orders(configuration: Mapping[str, Any]) -> bool:
    return any(compares_numbers(rule["when"]) for rule in configuration["rules"])


def _read_flag(key: str, flag: object, evaluators: Mapping[str, object]) -> PlannedFlag:
    if not isinstance(flag, Mapping):
        refuse("", f"a flag is an object, not {quote(flag)}")
    state, variants = flag.get("state"), _read_variants(flag.get("variants"))
    if state not in ("ENABLED", "DISABLED"):
        refuse("state", f"must be ENABLED or DISABLED, not {quote(state)}")
    default = _read_default(flag.get("defaultVariant"), variants)
    return PlannedFlag(
        key=key,
        definition={
            "key": key,
            "value_type": _value_type(list(variants.values())),
            "variants": [{"key": name, "value": value} for name, value in variants.items()],
        },
        configuration={
            "enabled": state == "ENABLED",
            "off_variant": default,
            "targets": [],
            "rules": _read_targeting(flag.get("targeting"), evaluators, key, variants, default),
            "fallthrough": {"variant": default},
        },
    )


def _read_targeting(
    targeting: object,
    evaluators: Mapping[str, object],
    key: str,
    variants: Mapping[str, object],
    default: str,
) -> list[Document]:
    if targeting is None or targeting == {}:
        return []
    expanded = Expansion(evaluators).expand(targeting, "targeting")
    return read_rules(expanded, "targeting", flag=key, variants=list(variants), default=default)


def _read_variants(variants: object) -> Mapping[str, object]:
    if not isinstance(variants, Mapping) or not variants:
        refuse("variants", "expected an object with at least one variant")
    return variants


def _read_default(default: object, variants: Mapping[str, object]) -> str:
    if default is None:
        refuse("defaultVariant", "the code's own default cannot be served; name a variant")
    if not isinstance(default, str) or default not in variants:
        refuse("defaultVariant", f"the flag has no variant {quote(default)}")
    return default


def _value_type(values: list[object]) -> str:
    kinds = {_TYPES.get(type(value), "") for value in values}
    if kinds == {"integer", "number"}:
        return "number"
    if len(kinds) != 1 or "" in kinds:
        refuse("variants", "must all hold true or false, texts, numbers or objects")
    return kinds.pop()


_TYPES: dict[type, str] = {
    bool: "boolean",
    str: "string",
    int: "integer",
    float: "number",
    dict: "object",
}
