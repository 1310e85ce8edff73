"""What the endpoints that explain take and answer, for the schema alone."""

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from portal.lib.api.operations import WITH_BODY, Problem, answers

_TAGS: Final = ["explanations"]


class Question(serializers.Serializer[object]):
    flag = serializers.CharField(help_text="Its key.")
    context = serializers.DictField(  # type: ignore[assignment]  # a field here
        required=False, help_text="As applications send it: `targetingKey` and attributes."
    )


class PastQuestion(Question):
    at = serializers.DateTimeField(help_text="The instant, with its zone.")


class Place(serializers.Serializer[object]):
    """Where the unit lies on a line of `total` points, and what else lies there."""

    by = serializers.ListField(child=serializers.CharField(), help_text="Attributes.")
    seed = serializers.CharField()
    unit = serializers.CharField(allow_null=True, help_text="null where the context has none.")
    point = serializers.IntegerField(allow_null=True)
    total = serializers.IntegerField()
    parts = serializers.ListField(
        child=serializers.DictField(), help_text="Of each: `name`, `from` and `to`."
    )
    chosen = serializers.CharField(allow_null=True, help_text="The part that the point lies in.")


class StepRule(serializers.Serializer[object]):
    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)


class StepResult(serializers.Serializer[object]):
    variant = serializers.CharField(allow_null=True)
    value = serializers.JSONField(allow_null=True)
    reason = serializers.CharField()
    error = serializers.CharField(allow_blank=True)


class ExplainedStep(serializers.Serializer[object]):
    kind = serializers.ChoiceField(
        choices=["disabled", "prerequisite", "target", "rule", "fallthrough"]
    )
    reached = serializers.BooleanField(help_text="Whether the evaluation came to it.")
    rule = StepRule(allow_null=True)
    result = StepResult(allow_null=True, help_text="null where it does not apply.")
    condition = serializers.DictField(
        allow_null=True,
        help_text="`matched`, what it `saw`, the condition, and the same of its `parts`.",
    )
    overrides = serializers.ListField(child=serializers.DictField())
    group = Place(allow_null=True)
    audience = Place(allow_null=True)
    split = Place(allow_null=True)


class ExplainedAnswer(serializers.Serializer[object]):
    flag = serializers.CharField()
    environment = serializers.CharField()
    status = serializers.IntegerField(help_text="Of OFREP's answer.")
    answer = serializers.DictField(help_text="The body of OFREP's answer to a server key.")
    steps = ExplainedStep(many=True)


class CauseActor(serializers.Serializer[object]):
    kind = serializers.CharField()
    name = serializers.CharField()


class CauseApproval(serializers.Serializer[object]):
    change_request = serializers.IntegerField()
    is_emergency = serializers.BooleanField(help_text="Glass was broken for it.")
    approved_by = serializers.ListField(
        child=serializers.DictField(), help_text="`person` and `roles` of that time."
    )
    sequence = serializers.IntegerField(help_text="The record that says so.")


class Cause(serializers.Serializer[object]):
    """The record that made a flag, a segment or an exclusion group what it was."""

    kind = serializers.CharField()
    key = serializers.CharField()
    sequence = serializers.IntegerField()
    at = serializers.DateTimeField()
    event = serializers.CharField()
    actor = CauseActor()
    environment = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    approval = CauseApproval(allow_null=True)


class PastAnswer(ExplainedAnswer):
    at = serializers.DateTimeField()
    causes = Cause(many=True, help_text="The last change first.")


explain = extend_schema(
    operation_id="explain_flag",
    tags=_TAGS,
    request=Question,
    responses=answers(200, ExplainedAnswer, *WITH_BODY),
)
explain_past = extend_schema(
    operation_id="explain_past",
    tags=_TAGS,
    request=PastQuestion,
    responses=answers(
        200,
        PastAnswer,
        *WITH_BODY,
        special={410: (Problem, "The history was purged, or begins too late to say.")},
    ),
)
