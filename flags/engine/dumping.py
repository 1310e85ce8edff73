"""From checked documents back to plain ones: canonical, so that equal documents dump equally.

Inside rules and splits, fields that hold their default are left out. Values are handed out as
they are, not copied: the caller must not change them.
"""

from flags.engine.document import (
    DEFAULT_ALGORITHM,
    DEFAULT_BUCKETING,
    TARGETING_KEY,
    AllOf,
    AnyOf,
    Audience,
    ByLogic,
    CodeDefault,
    Condition,
    Configuration,
    Fixed,
    FlagDefinition,
    FlagTest,
    Group,
    LogicTest,
    Not,
    Rule,
    Segment,
    SegmentTest,
    Serve,
    Split,
    Variant,
)

# What of a definition evaluators need, besides the variants' keys and values.
_EVALUATED = ("key", "value_type", "client_visible")


def dump_definition(definition: FlagDefinition) -> dict[str, object]:
    schema = definition.json_schema
    return {
        "key": definition.key,
        "name": definition.name,
        "kind": definition.kind.value,
        "value_type": definition.value_type.value,
        "variants": [
            {
                **_dump_served(one),
                **({"description": one.description} if one.description else {}),
            }
            for one in definition.variants
        ],
        "client_visible": definition.client_visible,
        "description": definition.description,
        "tags": list(definition.tags),
        "owner": definition.owner,
        "permanent": definition.permanent,
        "metadata": dict(definition.metadata),
        **({} if schema is None else {"json_schema": schema}),
    }


def dump_configuration(configuration: Configuration) -> dict[str, object]:
    prerequisites = list(map(dump_condition, configuration.prerequisites))
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
        **({"prerequisites": prerequisites} if prerequisites else {}),
        **({} if configuration.introduced else {"introduced": False}),
    }


def environment_document(
    definition: FlagDefinition, configuration: Configuration, version: int
) -> dict[str, object]:
    """What evaluators load: definition and configuration merged, descriptive fields left out."""
    definition_document = dump_definition(definition)
    return {
        **{field: definition_document[field] for field in _EVALUATED},
        **({"metadata": dict(definition.metadata)} if definition.metadata else {}),
        "variants": [_dump_served(one) for one in definition.variants],
        "version": version,
        **dump_configuration(configuration),
    }


def _dump_served(variant: Variant) -> dict[str, object]:
    return {
        "key": variant.key,
        "value": variant.value,
        **({} if variant.served_as is None else {"served_as": variant.served_as}),
        **({"metadata": dict(variant.metadata)} if variant.metadata else {}),
    }


def _dump_rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        **({"name": rule.name} if rule.name else {}),
        "when": dump_condition(rule.when),
        **({"audience": _dump_audience(rule.audience)} if rule.audience else {}),
        "serve": _dump_serve(rule.serve),
    }


def _dump_audience(audience: Audience) -> dict[str, object]:
    group = {} if audience.group is None else {"group": audience.group}
    return {"percent": audience.percent, **_dump_bucketing(audience), **group}


def _dump_bucketing(one: Audience | Split) -> dict[str, object]:
    is_default = one.algorithm == DEFAULT_ALGORITHM
    return {
        **({} if one.bucket_by == TARGETING_KEY else {"bucket_by": one.bucket_by}),
        **({"else_by": list(one.else_by)} if one.else_by else {}),
        **({} if is_default else {"algorithm": one.algorithm}),
        **({} if one.seed is None else {"seed": one.seed}),
    }


def _dump_serve(serve: Serve) -> dict[str, object]:
    match serve:
        case Fixed(variant):
            return {"variant": variant}
        case CodeDefault():
            return {"code_default": True}
        case ByLogic():
            return dump_by_logic(serve)
    overrides = [{"variant": o.variant, "when": dump_condition(o.when)} for o in serve.overrides]
    return {
        "split": [{"variant": one.variant, "weight": one.weight} for one in serve.shares],
        **_dump_bucketing(serve),
        **({"overrides": overrides} if overrides else {}),
    }


def dump_condition(condition: Condition) -> dict[str, object]:
    match condition:
        case AllOf(conditions):
            return {"all": list(map(dump_condition, conditions))}
        case AnyOf(conditions):
            return {"any": list(map(dump_condition, conditions))}
        case Not(negated):
            return {"not": dump_condition(negated)}
        case SegmentTest(segment):
            return {"segment": segment}
        case FlagTest(flag, variants):
            return {"flag": flag, "variants": list(variants)}
        case LogicTest():
            return dump_by_logic(condition)
    return {
        "attribute": condition.attribute,
        "operator": condition.operator,
        **({"values": list(condition.values)} if condition.values else {}),
        **({"ignore_case": True} if condition.ignore_case else {}),
    }


def dump_by_logic(one: LogicTest | ByLogic) -> dict[str, object]:
    is_default = one.bucketing == DEFAULT_BUCKETING
    bucketing = {} if is_default else {"bucketing": one.bucketing}
    return {"jsonlogic": one.logic.value, **bucketing}


def dump_about(one: Segment | Group) -> dict[str, object]:
    about = {"name": one.name, "description": one.description}
    return {field: value for field, value in about.items() if value}
