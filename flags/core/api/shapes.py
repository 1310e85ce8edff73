"""Flags and their configurations, as documents. What is sent the engine checks."""

from flags.engine import ALGORITHMS, OPERATORS, Kind, ValueType, limits
from flags.engine.jsonlogic import FRACTIONALS
from portal.lib.api.shapes import (
    ANY,
    MOMENT,
    NUMBER,
    OBJECT,
    SWITCH,
    TEXT,
    TEXTS,
    WHOLE,
    PageShape,
    Shape,
)

KINDS = [kind.value for kind in Kind]
PERCENT = NUMBER(minimum=0, maximum=100)
STORED = {
    "version": WHOLE("Also the ETag."),
    "created_at": MOMENT(),
    "updated_at": MOMENT(),
}

VARIANT = Shape(
    "Variant",
    {
        "key": TEXT(maxLength=limits.MAX_VARIANT_KEY_CHARS),
        "value": ANY("Of the flag's value type."),
        "description": TEXT(optional=True),
        "served_as": TEXT("What answers call it.", optional=True),
        "metadata": OBJECT("Texts, numbers and booleans that answers carry.", optional=True),
    },
)
NEW_FLAG = Shape(
    "NewFlag",
    {
        "key": TEXT(maxLength=limits.MAX_KEY_CHARS),
        "name": TEXT(optional=True, maxLength=limits.MAX_NAME_CHARS),
        "kind": TEXT(enum=KINDS, default="release"),
        "value_type": TEXT(enum=[one.value for one in ValueType]),
        "variants": VARIANT.many(),
        "client_visible": SWITCH(default=False),
        "description": TEXT(optional=True),
        "tags": TEXTS(optional=True),
        "owner": TEXT(optional=True),
        "permanent": SWITCH(default=False),
        "metadata": OBJECT("Texts, numbers and booleans that every answer carries.", optional=True),
        "json_schema": OBJECT(
            "What every value of an object flag satisfies (2020-12).", optional=True
        ),
    },
)
FLAG_PATCH = Shape(
    "FlagPatch",
    {
        "variants": VARIANT.many(optional=True),
        "kind": TEXT(optional=True, nullable=True, enum=KINDS),
        "name": TEXT(optional=True, nullable=True),
        "description": TEXT(optional=True, nullable=True),
        "tags": TEXTS(optional=True, nullable=True),
        "owner": TEXT(optional=True, nullable=True),
        "client_visible": SWITCH(optional=True, nullable=True),
        "permanent": SWITCH(optional=True, nullable=True),
        "metadata": OBJECT(optional=True, nullable=True),
        "json_schema": OBJECT(optional=True, nullable=True),
    },
    "Fields to change; null gives one back its default. Key and value type stay.",
)
FLAG = Shape(
    "Flag",
    {
        **NEW_FLAG.fields,
        "archived": SWITCH(of="is_archived"),
        **STORED,
        "version": WHOLE("Of the definition; also the ETag."),
    },
    stored="document",
)
FLAGS = PageShape("FlagPage", "flags", FLAG.many(), total=WHOLE())

SHARE = Shape(
    "Share",
    {"variant": TEXT(), "weight": WHOLE("Of 100,000 in all, unless another algorithm.")},
)
_BUCKETING = {
    "bucket_by": TEXT(default="targetingKey"),
    "else_by": TEXTS(
        "Attributes to try where that one names no unit; $random is always another.",
        optional=True,
    ),
    "algorithm": TEXT(optional=True, enum=list(ALGORITHMS)),
    "seed": TEXT(optional=True),
}
OVERRIDE = Shape("Override", {"variant": TEXT(), "when": OBJECT()})
SERVE = Shape(
    "Serve",
    {
        **_BUCKETING,
        "variant": TEXT(optional=True),
        "split": SHARE.many(optional=True),
        "overrides": OVERRIDE.many(optional=True),
        "jsonlogic": ANY(optional=True),
        "bucketing": TEXT(optional=True, enum=list(FRACTIONALS)),
        "code_default": SWITCH(optional=True),
    },
    "One of: a variant; a split; what logic names; the default in the application's code.",
)
AUDIENCE = Shape(
    "Audience",
    {**_BUCKETING, "percent": PERCENT, "group": TEXT("The exclusion group's key.", optional=True)},
)
RULE = Shape(
    "Rule",
    {
        "id": TEXT(maxLength=limits.MAX_RULE_ID_CHARS),
        "name": TEXT(optional=True),
        "when": OBJECT(
            "One of {all: [conditions]}, {any: [conditions]}, {not: condition}, "
            "{segment: key}, {flag: key, variants: [keys]}, {jsonlogic: logic} or "
            "{attribute, operator, values, ignore_case}. Operators: " + ", ".join(OPERATORS) + "."
        ),
        "audience": AUDIENCE.one(optional=True),
        "serve": SERVE.one(),
    },
)
TARGET = Shape("Target", {"variant": TEXT(), "keys": TEXTS()})
PREREQUISITE = Shape("Prerequisite", {"flag": TEXT(), "variants": TEXTS()})
CONFIGURATION = Shape(
    "Configuration",
    {
        "enabled": SWITCH(),
        "off_variant": TEXT(),
        "targets": TARGET.many(optional=True),
        "rules": RULE.many(optional=True),
        "fallthrough": SERVE.one(),
        "salt": TEXT(maxLength=limits.MAX_SALT_CHARS),
        "prerequisites": PREREQUISITE.many(optional=True),
        "introduced": SWITCH(
            "False: applications get FLAG_NOT_FOUND here until the flag is introduced. Answers "
            "leave it out where it is true; where a body leaves it out it stays as it is.",
            optional=True,
        ),
    },
)
CONFIGURATION_PATCH = Shape(
    "ConfigurationPatch",
    {
        "enabled": SWITCH(optional=True),
        "off_variant": TEXT(optional=True),
        "targets": TARGET.many(optional=True, nullable=True),
        "rules": RULE.many(optional=True, nullable=True),
        "fallthrough": SERVE.one(optional=True),
        "salt": TEXT(optional=True, maxLength=limits.MAX_SALT_CHARS),
        "introduced": SWITCH("True introduces the flag; so does turning it on.", optional=True),
    },
    "Fields to change; null gives one back its default.",
)
LISTED_CONFIGURATION = Shape(
    "ListedConfiguration",
    {
        "flag": TEXT("Its key.", of="flag.key"),
        **CONFIGURATION.fields,
        "version": WHOLE("Also the ETag of the configuration by itself."),
    },
    stored="document",
)
CONFIGURATIONS = PageShape("ConfigurationPage", "configurations", LISTED_CONFIGURATION.many())
