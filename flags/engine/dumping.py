"""From checked documents back to plain ones: canonical, so that equal documents dump equally.

Inside rules and splits, fields that hold their default are left out. Values are handed out as
they are, not copied: the caller must not change them.
"""

from functools import singledispatch

from flags.engine.document import (
    DEFAULT_ALGORITHM,
    TARGETING_KEY,
    AllOf,
    AnyOf,
    AttributeTest,
    Audience,
    Condition,
    Configuration,
    Fixed,
    FlagDefinition,
    Not,
    Rule,
    Serve,
    Split,
    Variant,
)

_EVALUATED = ("key", "value_type", "client_visible")
"""What of a definition evaluators need, besides the variants' keys and values."""


def dump_definition(definition: FlagDefinition) -> dict[str, object]:
    """The definition as a plain document, every field written out but a schema that it has not."""
    schema = definition.json_schema
    return {
        "key": definition.key,
        "name": definition.name,
        "kind": definition.kind.value,
        "value_type": definition.value_type.value,
        "variants": list(map(_dump_variant, definition.variants)),
        "client_visible": definition.client_visible,
        "description": definition.description,
        "tags": list(definition.tags),
        "owner": definition.owner,
        "permanent": definition.permanent,
        **({} if schema is None else {"json_schema": schema}),
    }


def dump_configuration(configuration: Configuration) -> dict[str, object]:
    """The configuration as a plain document."""
    return {
        "enabled": configuration.enabled,
        "off_variant": configuration.off_variant,
        "targets": [
            {"variant": target.variant, "keys": list(target.keys)}
            for target in configuration.targets
        ],
        "rules": list(map(_dump_rule, configuration.rules)),
        "fallthrough": _dump_serve(configuration.fallthrough),
        "salt": configuration.salt,
    }


def environment_document(
    definition: FlagDefinition, configuration: Configuration, version: int
) -> dict[str, object]:
    """What evaluators load: definition and configuration merged, descriptive fields left out."""
    definition_document = dump_definition(definition)
    return {
        **{field: definition_document[field] for field in _EVALUATED},
        "variants": [{"key": one.key, "value": one.value} for one in definition.variants],
        "version": version,
        **dump_configuration(configuration),
    }


def _dump_variant(variant: Variant) -> dict[str, object]:
    description = {"description": variant.description} if variant.description else {}
    return {"key": variant.key, "value": variant.value, **description}


def _dump_rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        **({"name": rule.name} if rule.name else {}),
        "when": _dump_condition(rule.when),
        **({"audience": _dump_audience(rule.audience)} if rule.audience else {}),
        "serve": _dump_serve(rule.serve),
    }


def _dump_audience(audience: Audience) -> dict[str, object]:
    return {"percent": audience.percent, **_dump_bucket_by(audience.bucket_by)}


def _dump_bucket_by(attribute: str) -> dict[str, object]:
    return {} if attribute == TARGETING_KEY else {"bucket_by": attribute}


@singledispatch
def _dump_serve(serve: Serve) -> dict[str, object]:
    raise TypeError(type(serve).__name__)


@_dump_serve.register
def _(serve: Fixed) -> dict[str, object]:
    return {"variant": serve.variant}


@_dump_serve.register
def _(serve: Split) -> dict[str, object]:
    is_default = serve.algorithm == DEFAULT_ALGORITHM
    return {
        "split": [{"variant": one.variant, "weight": one.weight} for one in serve.shares],
        **_dump_bucket_by(serve.bucket_by),
        **({} if is_default else {"algorithm": serve.algorithm}),
        **({} if serve.seed is None else {"seed": serve.seed}),
    }


@singledispatch
def _dump_condition(condition: Condition) -> dict[str, object]:
    raise TypeError(type(condition).__name__)


@_dump_condition.register
def _(condition: AllOf) -> dict[str, object]:
    return {"all": list(map(_dump_condition, condition.conditions))}


@_dump_condition.register
def _(condition: AnyOf) -> dict[str, object]:
    return {"any": list(map(_dump_condition, condition.conditions))}


@_dump_condition.register
def _(condition: Not) -> dict[str, object]:
    return {"not": _dump_condition(condition.condition)}


@_dump_condition.register
def _(condition: AttributeTest) -> dict[str, object]:
    return {
        "attribute": condition.attribute,
        "operator": condition.operator,
        **({"values": list(condition.values)} if condition.values else {}),
        **({"ignore_case": True} if condition.ignore_case else {}),
    }
