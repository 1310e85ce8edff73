"""From plain documents to checked ones: every problem of a document at once, each with its path.

Readers that need nothing to be known are built once, at import; those of a configuration are
built for the variants of its flag.
"""

import marshal
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from flags.engine import limits
from flags.engine.condition_parsing import (
    read_audience,
    read_condition,
    read_flag_test,
    serve_reader,
)
from flags.engine.document import (
    Configuration,
    EnvironmentFlag,
    FlagDefinition,
    FlagTest,
    Kind,
    Rule,
    Target,
    ValueType,
    Variant,
)
from flags.engine.scalars import (
    VALUE_READERS,
    read_flag_key,
    read_json_object,
    read_metadata,
    read_rule_id,
    read_salt,
    read_variant_key,
)
from portal.lib.documents import (
    Problem,
    Reader,
    checked,
    integer,
    list_of,
    mapped,
    name,
    one_of,
    quote,
    read_boolean,
    read_object,
    record,
    text,
)

# What documents were parsed into lately: a page reads the same document again and again.

Parsed = TypeVar("Parsed")

_LONGEST: Final = 32_768  # bytes of one document; longer ones are parsed each time
_MOST: Final = 2_097_152  # bytes of all of them together


class Remembered(Generic[Parsed]):
    """Results by the exact content of their documents, which tells 1 from 1.0 and True.

    A result is made from a copy of the document, so that nobody who changes theirs changes it.
    What cannot be parsed is not kept, nor what is not made of Python's own plain types.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[bytes, object], Parsed] = {}
        self._size = 0

    def get(self, document: object, part: object, parse: Callable[[object], Parsed]) -> Parsed:
        """What ``parse`` makes of the document; ``part`` is what else the result depends on."""
        try:
            content = marshal.dumps(document, 0)  # type: ignore[arg-type]
        except ValueError:
            return parse(document)
        if len(content) > _LONGEST:
            return parse(document)
        known = self._found.get((content, part))
        if known is None:
            known = parse(marshal.loads(content))  # noqa: S302 - dumped above
            self._keep((content, part), known, len(content))
        return known

    def _keep(self, key: tuple[bytes, object], result: Parsed, size: int) -> None:
        if self._size + size > _MOST:
            self._found, self._size = {}, 0
        self._found[key] = result
        self._size += size


def parse_definition(doc: object) -> FlagDefinition:
    """The flag's definition. Required are key, value_type and variants; see FlagDefinition.

    Raises DocumentError.
    """
    return _definitions.get(doc, (), _parse_definition)


def _parse_definition(doc: object) -> FlagDefinition:
    value_type = read_object(doc).get("value_type")
    reader = _DEFINITIONS.get(value_type) if isinstance(value_type, str) else None
    return (reader or _UNTYPED_DEFINITION)(doc)


def parse_configuration(doc: object, definition: FlagDefinition) -> Configuration:
    """The flag's configuration in one environment; it may name the definition's variants only.

    Required are enabled, off_variant, fallthrough and salt; targets, rules and prerequisites
    default to none, and introduced to true.
    Raises DocumentError.
    """
    variants = tuple(variant.key for variant in definition.variants)
    return _configurations.get(doc, variants, lambda own: _parse_configuration(own, variants))


def _parse_configuration(doc: object, variants: tuple[str, ...]) -> Configuration:
    return _configuration(one_of(variants, "variant"))(doc)


_definitions: Remembered[FlagDefinition] = Remembered()
_configurations: Remembered[Configuration] = Remembered()


# The fields of an environment document that come from the flag's definition.
DEFINITION_PART = ("key", "value_type", "variants", "client_visible", "metadata")


def parse_environment(doc: object) -> EnvironmentFlag:
    """What evaluators load: see ``dumping.environment_document``. Raises DocumentError."""
    document = dict(read_object(doc))
    part = {field: document.pop(field) for field in DEFINITION_PART if field in document}
    definition = _parse_definition(part)
    version = _read_version({"version": document.pop("version", None)})
    variants = tuple(variant.key for variant in definition.variants)
    return EnvironmentFlag(definition, _parse_configuration(document, variants), version)


_read_version: Reader[int] = record(
    lambda version: version, {"version": integer(0, limits.MAX_SAFE_INTEGER)}
)
_read_name = name(limits.MAX_NAME_CHARS)
_read_description = text(limits.MAX_DESCRIPTION_CHARS)


def _repeats(names: Iterable[str]) -> Iterable[tuple[int, str]]:
    seen: set[str] = set()
    for index, one in enumerate(names):
        if one in seen:
            yield index, one
        seen.add(one)


# Definitions


def _definition(read_value: Reader[object]) -> Reader[FlagDefinition]:
    variant = record(
        Variant,
        {"key": read_variant_key, "value": read_value},
        {
            "description": _read_description,
            "served_as": name(limits.MAX_VARIANT_KEY_CHARS),
            "metadata": read_metadata,
        },
    )
    variants: Reader[tuple[Variant, ...]] = checked(
        list_of(variant, least=1, most=limits.MAX_VARIANTS), _check_variant_keys
    )
    definition = record(
        FlagDefinition,
        {
            "key": read_flag_key,
            "value_type": mapped(one_of(ValueType, "value type"), ValueType),
            "variants": variants,
        },
        {
            "kind": mapped(one_of(Kind, "kind"), Kind),
            "name": _read_name,
            "client_visible": read_boolean,
            "description": _read_description,
            "tags": list_of(name(limits.MAX_TAG_CHARS, least=1), most=limits.MAX_TAGS),
            "owner": _read_name,
            "permanent": read_boolean,
            "metadata": read_metadata,
            "json_schema": read_json_object,
        },
    )
    return checked(definition, _check_schema)


def _check_schema(definition: FlagDefinition) -> Iterable[Problem]:
    if definition.json_schema is not None and definition.value_type is not ValueType.OBJECT:
        yield Problem("json_schema", "Only the values of object flags have a schema.")


def _check_variant_keys(variants: tuple[Variant, ...]) -> Iterable[Problem]:
    for index, key in _repeats(variant.key for variant in variants):
        yield Problem(f"[{index}].key", f"Rename this variant; '{quote(key)}' is taken.")


_DEFINITIONS: dict[str, Reader[FlagDefinition]] = {
    value_type: _definition(reader) for value_type, reader in VALUE_READERS.items()
}
# Only ever refuses: with no known type, the values are not held to any.
_UNTYPED_DEFINITION = _definition(lambda value: value)


# Configurations


_read_prerequisites: Reader[tuple[FlagTest, ...]] = list_of(
    read_flag_test, most=limits.MAX_PREREQUISITES
)


def _configuration(variant: Reader[str]) -> Reader[Configuration]:
    serve = serve_reader(variant)
    rule = record(
        Rule,
        {"id": read_rule_id, "when": read_condition, "serve": serve},
        {"audience": read_audience, "name": _read_name},
    )
    rules: Reader[tuple[Rule, ...]] = checked(list_of(rule, most=limits.MAX_RULES), _check_rule_ids)
    keys = list_of(text(limits.MAX_UNIT_CHARS, least=1), most=limits.MAX_TARGET_KEYS)
    target = record(Target, {"variant": variant, "keys": keys})
    return checked(
        record(
            Configuration,
            {
                "enabled": read_boolean,
                "off_variant": variant,
                "fallthrough": serve,
                "salt": read_salt,
            },
            {
                "targets": list_of(target, most=limits.MAX_TARGETS),
                "rules": rules,
                "prerequisites": _read_prerequisites,
                "introduced": read_boolean,
            },
        ),
        _check_configuration,
    )


def _check_configuration(configuration: Configuration) -> Iterable[Problem]:
    if configuration.enabled and not configuration.introduced:
        yield Problem("introduced", "A flag that is on is introduced; leave this out.")
    yield from _check_targets(configuration)


def _check_targets(configuration: Configuration) -> Iterable[Problem]:
    count = sum(len(target.keys) for target in configuration.targets)
    if count > limits.MAX_TARGET_KEYS:
        most = limits.MAX_TARGET_KEYS
        yield Problem("targets", f"Target at most {most} keys in all, not {count}.")
    seen: set[str] = set()
    for at, target in enumerate(configuration.targets):
        for index, key in enumerate(target.keys):
            if key in seen:
                message = f"Remove '{quote(key)}'; it is targeted already."
                yield Problem(f"targets[{at}].keys[{index}]", message)
            seen.add(key)


def _check_rule_ids(rules: tuple[Rule, ...]) -> Iterable[Problem]:
    for index, rule_id in _repeats(rule.id for rule in rules):
        yield Problem(f"[{index}].id", f"Give this rule another id; '{rule_id}' is taken.")
