"""A whole file of flagd's: its flags one by one, so that a bad one harms no other."""

from collections.abc import Iterable, Mapping
from typing import Any

from flags.transfer.importers.base import (
    FileRefused,
    ImportPlan,
    NotExpressible,
    PlannedFlag,
    listed,
    quote,
    refuse,
)
from flags.transfer.importers.flagd.targeting import Chosen, Surroundings, read_targeting

_KNOWN_FIELDS = {"key", "state", "variants", "defaultVariant", "targeting", "metadata"}
_FILE_FIELDS = {"$schema", "$evaluators", "flags", "metadata"}

_DISABLED = (
    "flagd leaves disabled flags to the code's own default; here they serve a variant while off, "
    "the default one or else one that is false, or the last: "
)
_FIELDS = "fields that change no answer and are not taken over: "


def read(document: object, bucketing: str) -> ImportPlan:
    """The plan for a flagd file, bucketed as this generation of flagd does. Raises FileRefused."""
    if not isinstance(document, Mapping) or "flags" not in document:
        raise FileRefused("This is not a flagd file: expected an object with 'flags'.")
    evaluators = _object_in(document, "$evaluators")
    metadata = _object_in(document, "metadata")
    plan = ImportPlan("flagd")
    unused = {name: None for name in document if name not in _FILE_FIELDS}
    for key, flag in _flags(document["flags"]):
        try:
            plan.add(_read_flag(key, flag, metadata, Surroundings(evaluators, bucketing)))
        except NotExpressible as error:
            plan.skip(key, str(error))
            continue
        unused |= {name: None for name in flag if name not in _KNOWN_FIELDS}
    _add_notes(plan, list(unused))
    return plan


def _object_in(document: Mapping[str, object], field: str) -> Mapping[str, object]:
    found = document.get(field, {})
    if not isinstance(found, Mapping):
        raise FileRefused(f"This is not a flagd file: '{field}' must be an object.")
    return found


def _flags(flags: object) -> Iterable[tuple[str, Any]]:
    """Key and flag, of an object by key as well as of a list of flags that name theirs."""
    if isinstance(flags, Mapping):
        if not all(isinstance(key, str) for key in flags):
            raise FileRefused("This is not a flagd file: a flag's key must be a text.")
        return flags.items()
    if not isinstance(flags, list):
        raise FileRefused("This is not a flagd file: 'flags' must be an object or a list.")
    return [(_key_of(flag, index), flag) for index, flag in enumerate(flags)]


def _key_of(flag: object, index: int) -> str:
    key = flag.get("key") if isinstance(flag, Mapping) else None
    if not isinstance(key, str):
        raise FileRefused(f"This is not a flagd file: flags[{index}] has no key.")
    return key


def _add_notes(plan: ImportPlan, unused: list[str]) -> None:
    off = [f.key for f in plan.flags if f.configuration and not f.configuration["enabled"]]
    for text, names in ((_DISABLED, off), (_FIELDS, unused)):
        if names:
            plan.notes.append(text + listed(names))


def _read_flag(
    key: str, flag: object, metadata: Mapping[str, object], around: Surroundings
) -> PlannedFlag:
    if not isinstance(flag, Mapping):
        refuse("", f"a flag is an object, not {quote(flag)}")
    state, variants = flag.get("state"), _read_variants(flag.get("variants"))
    if state not in ("ENABLED", "DISABLED"):
        refuse("state", f"must be ENABLED or DISABLED, not {quote(state)}")
    default = _read_default(flag.get("defaultVariant"), variants)
    served = {"code_default": True} if default is None else {"variant": default}
    return PlannedFlag(
        key=key,
        definition={
            "key": key,
            "value_type": _value_type(list(variants.values())),
            "variants": [{"key": name, "value": value} for name, value in variants.items()],
            "metadata": {**metadata, **_read_metadata(flag.get("metadata"))},
        },
        configuration={
            "enabled": state == "ENABLED",
            "off_variant": default or _first_off(variants),
            "targets": [],
            "rules": read_targeting(
                flag.get("targeting"), around, Chosen(key, list(variants), served)
            ),
            "fallthrough": served,
        },
    )


def _read_metadata(metadata: object) -> Mapping[str, object]:
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        refuse("metadata", f"expected an object, found {quote(metadata)}")
    return metadata


def _read_variants(variants: object) -> Mapping[str, object]:
    if not isinstance(variants, Mapping) or not variants:
        refuse("variants", "expected an object with at least one variant")
    return variants


def _read_default(default: object, variants: Mapping[str, object]) -> str | None:
    if default is None or default == "":
        return None
    name = str(default).lower() if isinstance(default, bool) else default
    if not isinstance(name, str) or name not in variants:
        refuse("defaultVariant", f"the flag has no variant {quote(default)}")
    return name


def _first_off(variants: Mapping[str, object]) -> str:
    return next((name for name, value in variants.items() if value is False), list(variants)[-1])


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
