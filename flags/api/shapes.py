"""The shapes of requests and answers, for the schema alone: the engine checks what comes in."""

from rest_framework import serializers

from flags.engine import ALGORITHMS, OPERATORS, Kind, ValueType, limits
from flags.engine.jsonlogic import FRACTIONALS


def _choices(names: type[Kind] | type[ValueType]) -> list[str]:
    return [name.value for name in names]


class Variant(serializers.Serializer[object]):
    key = serializers.CharField(max_length=limits.MAX_VARIANT_KEY_CHARS)
    value = serializers.JSONField(help_text="Of the flag's value type.")
    description = serializers.CharField(required=False)
    served_as = serializers.CharField(required=False, help_text="What answers call it.")
    metadata = serializers.DictField(
        required=False, help_text="Texts, numbers and booleans that answers carry."
    )


class NewFlag(serializers.Serializer[object]):
    key = serializers.CharField(max_length=limits.MAX_KEY_CHARS)
    value_type = serializers.ChoiceField(choices=_choices(ValueType))
    variants = Variant(many=True)
    kind = serializers.ChoiceField(choices=_choices(Kind), default="release")
    name = serializers.CharField(required=False, max_length=limits.MAX_NAME_CHARS)
    description = serializers.CharField(required=False)
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    owner = serializers.CharField(required=False)
    client_visible = serializers.BooleanField(default=False)
    permanent = serializers.BooleanField(default=False)
    metadata = serializers.DictField(
        required=False, help_text="Texts, numbers and booleans that every answer carries."
    )
    json_schema = serializers.DictField(
        required=False, help_text="What every value of an object flag satisfies (2020-12)."
    )


class FlagPatch(serializers.Serializer[object]):
    """Fields to change; null gives one back its default. Key and value type stay."""

    variants = Variant(many=True, required=False)
    kind = serializers.ChoiceField(choices=_choices(Kind), required=False, allow_null=True)
    name = serializers.CharField(required=False, allow_null=True)
    description = serializers.CharField(required=False, allow_null=True)
    tags = serializers.ListField(child=serializers.CharField(), required=False, allow_null=True)
    owner = serializers.CharField(required=False, allow_null=True)
    client_visible = serializers.BooleanField(required=False, allow_null=True)
    permanent = serializers.BooleanField(required=False, allow_null=True)
    metadata = serializers.DictField(required=False, allow_null=True)
    json_schema = serializers.DictField(required=False, allow_null=True)


class Flag(NewFlag):
    archived = serializers.BooleanField()
    version = serializers.IntegerField(help_text="Of the definition; also the ETag.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FlagPage(serializers.Serializer[object]):
    flags = Flag(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")
    total = serializers.IntegerField()


class Share(serializers.Serializer[object]):
    variant = serializers.CharField()
    weight = serializers.IntegerField(help_text="Of 100,000 in all, unless another algorithm.")


class Bucketing(serializers.Serializer[object]):
    bucket_by = serializers.CharField(required=False, default="targetingKey")
    else_by = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Attributes to try where that one names no unit; $random is always another.",
    )
    algorithm = serializers.ChoiceField(choices=list(ALGORITHMS), required=False)
    seed = serializers.CharField(required=False)


class Override(serializers.Serializer[object]):
    variant = serializers.CharField()
    when = serializers.DictField()


class Serve(Bucketing):
    """One of: a variant; a split; what logic names; the default in the application's code."""

    variant = serializers.CharField(required=False)
    split = Share(many=True, required=False)
    overrides = Override(many=True, required=False)
    jsonlogic = serializers.JSONField(required=False)
    bucketing = serializers.ChoiceField(choices=list(FRACTIONALS), required=False)
    code_default = serializers.BooleanField(required=False)


class Audience(Bucketing):
    percent = serializers.FloatField(min_value=0, max_value=100)
    group = serializers.CharField(required=False, help_text="The exclusion group's key.")


class Rule(serializers.Serializer[object]):
    id = serializers.CharField(max_length=limits.MAX_RULE_ID_CHARS)
    name = serializers.CharField(required=False)
    when = serializers.DictField(
        help_text="One of {all: [conditions]}, {any: [conditions]}, {not: condition}, "
        "{segment: key}, {flag: key, variants: [keys]}, {jsonlogic: logic} or "
        "{attribute, operator, values, ignore_case}. Operators: " + ", ".join(OPERATORS) + "."
    )
    audience = Audience(required=False)
    serve = Serve()


class Target(serializers.Serializer[object]):
    variant = serializers.CharField()
    keys = serializers.ListField(child=serializers.CharField())


class Prerequisite(serializers.Serializer[object]):
    flag = serializers.CharField()
    variants = serializers.ListField(child=serializers.CharField())


class Configuration(serializers.Serializer[object]):
    enabled = serializers.BooleanField()
    off_variant = serializers.CharField()
    prerequisites = Prerequisite(many=True, required=False)
    targets = Target(many=True, required=False)
    rules = Rule(many=True, required=False)
    fallthrough = Serve()
    salt = serializers.CharField(max_length=limits.MAX_SALT_CHARS)
    introduced = serializers.BooleanField(
        required=False,
        help_text="False: applications get FLAG_NOT_FOUND here until the flag is introduced. "
        "Answers leave it out where it is true; where a body leaves it out it stays as it is.",
    )


class ConfigurationPatch(serializers.Serializer[object]):
    """Fields to change; null gives one back its default."""

    enabled = serializers.BooleanField(required=False)
    off_variant = serializers.CharField(required=False)
    targets = Target(many=True, required=False, allow_null=True)
    rules = Rule(many=True, required=False, allow_null=True)
    fallthrough = Serve(required=False)
    salt = serializers.CharField(required=False, max_length=limits.MAX_SALT_CHARS)
    introduced = serializers.BooleanField(
        required=False, help_text="True introduces the flag; so does turning it on."
    )


class ListedConfiguration(Configuration):
    flag = serializers.CharField(help_text="Its key.")
    version = serializers.IntegerField(help_text="Also the ETag of the configuration by itself.")


class ConfigurationPage(serializers.Serializer[object]):
    configurations = ListedConfiguration(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class SkippedFlag(serializers.Serializer[object]):
    flag = serializers.CharField()
    reason = serializers.CharField()


class SkippedCohort(serializers.Serializer[object]):
    key = serializers.CharField()
    reason = serializers.CharField()


class CohortReport(serializers.Serializer[object]):
    created = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())
    unchanged = serializers.ListField(child=serializers.CharField())
    skipped = SkippedCohort(many=True)


class ImportReport(serializers.Serializer[object]):
    created = serializers.ListField(child=serializers.CharField())
    changed = serializers.ListField(child=serializers.CharField())
    introduced = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Flags that were there and come to this environment by it.",
    )
    unchanged = serializers.ListField(child=serializers.CharField())
    disabled = serializers.ListField(
        child=serializers.CharField(), help_text="Turned off: the file does not have them."
    )
    skipped = SkippedFlag(many=True)
    segments = CohortReport(help_text="The project's segments that the file has.")
    groups = CohortReport(help_text="Its exclusion groups.")
    notes = serializers.ListField(child=serializers.CharField())
    dry_run = serializers.BooleanField()
    version = serializers.IntegerField(help_text="The environment's, afterwards.")


class UsageCounts(serializers.Serializer[object]):
    start = serializers.DateTimeField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="By name.")


class Usage(serializers.Serializer[object]):
    period = serializers.CharField()
    by = serializers.CharField()
    total = serializers.IntegerField()
    last_seen_at = serializers.DateTimeField(allow_null=True)
    last_served_at = serializers.DictField(
        child=serializers.DateTimeField(), help_text="By variant."
    )
    counts = UsageCounts(many=True)


class UnknownFlag(serializers.Serializer[object]):
    name = serializers.CharField()
    by = serializers.CharField(help_text="The kind of keys it is asked with: server or client.")
    count = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()


class UnknownFlags(serializers.Serializer[object]):
    unknown_flags = UnknownFlag(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")
    others = serializers.IntegerField(help_text="Questions for names that are not kept.")
