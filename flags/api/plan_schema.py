"""What the endpoints of plans take and answer, for the schema."""

from collections.abc import Callable
from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from flags.api.shapes import Configuration
from flags.models import PlanKind
from flags.plans import OPERATIONS
from portal.lib.api_schema import PAGING, WAITS, WITH_BODY, answers, query
from portal.runs.models import RunState

_TAGS: Final = ["one environment"]


class NewSchedule(serializers.Serializer[object]):
    flag = serializers.CharField(help_text="Its key.")
    operation = serializers.ChoiceField(choices=list(OPERATIONS))
    starts = serializers.RegexField(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$",
        help_text="What the clock shows in the zone, such as 2026-12-24T16:00.",
    )
    zone = serializers.CharField(help_text="An IANA name, such as Europe/Berlin.")
    rrule = serializers.CharField(
        required=False, allow_blank=True, help_text="Such as FREQ=WEEKLY;BYDAY=MO; once without it."
    )
    rule = serializers.CharField(required=False, help_text="For `percent`: the id of the rule.")
    percent = serializers.FloatField(
        required=False, min_value=0, max_value=100, help_text="For `percent`, by 0.001."
    )
    configuration = Configuration(required=False, help_text="For `replace`.")
    reason = serializers.CharField(required=False, allow_blank=True)


class RampTarget(serializers.Serializer[object]):
    part = serializers.ChoiceField(choices=["audience", "split"])
    rule = serializers.CharField(
        required=False, allow_blank=True, help_text="Its id; for a split, none is everyone else."
    )


class RampStep(serializers.Serializer[object]):
    percent = serializers.FloatField(min_value=0, max_value=100)
    after_s = serializers.IntegerField(min_value=0, help_text="Seconds after the start.")


class Linear(serializers.Serializer[object]):
    to = serializers.FloatField(min_value=0, max_value=100)
    duration_s = serializers.IntegerField(min_value=60)
    interval_s = serializers.IntegerField(min_value=60, help_text="From one step to the next.")

    def get_fields(self) -> dict[str, Any]:
        """``from`` is no name for an attribute."""
        return {"from": serializers.FloatField(min_value=0, max_value=100), **super().get_fields()}


class NewRamp(serializers.Serializer[object]):
    flag = serializers.CharField(help_text="Its key.")
    target = RampTarget()
    steps = RampStep(many=True, required=False, help_text="Either these or `linear`; rising.")
    linear = Linear(required=False)
    starts = serializers.CharField(
        required=False, allow_blank=True, help_text="As of a schedule; at once without it."
    )
    zone = serializers.CharField(required=False)
    reason = serializers.CharField(required=False, allow_blank=True)


class Plan(serializers.Serializer[object]):
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=PlanKind.values)
    flag = serializers.CharField()
    state = serializers.ChoiceField(choices=RunState.values)
    plan = serializers.DictField(help_text="As it was created.")
    reason = serializers.CharField()
    problem = serializers.CharField(help_text="What keeps it from going on; or empty.")
    author = serializers.CharField()
    steps_done = serializers.IntegerField()
    due_at = serializers.DateTimeField(allow_null=True)
    next = serializers.ListField(child=serializers.DateTimeField(), help_text="In UTC.")
    change_request = serializers.IntegerField(
        allow_null=True, help_text="The one that others agreed to it by."
    )
    created_at = serializers.DateTimeField()


class SchedulePage(serializers.Serializer[object]):
    schedules = Plan(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class RampPage(serializers.Serializer[object]):
    ramps = Plan(many=True)
    next = serializers.CharField(allow_null=True, help_text="The cursor of the next page.")


class Why(serializers.Serializer[object]):
    reason = serializers.CharField(required=False, allow_blank=True)


_PARAMETERS: Final = [
    query("flag", "Only the plans of the flag with this key."),
    query("over", "Also those that are finished or cancelled.", bool),
    *PAGING,
]
_WAITS: Final = {409: WAITS}

list_schedules = extend_schema(
    operation_id="list_schedules",
    tags=_TAGS,
    parameters=_PARAMETERS,
    responses=answers(200, SchedulePage),
)
create_schedule = extend_schema(
    operation_id="create_schedule",
    tags=_TAGS,
    request=NewSchedule,
    responses=answers(201, Plan, *WITH_BODY, special=_WAITS),
)
list_ramps = extend_schema(
    operation_id="list_ramps",
    tags=_TAGS,
    parameters=_PARAMETERS,
    responses=answers(200, RampPage),
)
create_ramp = extend_schema(
    operation_id="create_ramp",
    tags=_TAGS,
    request=NewRamp,
    responses=answers(201, Plan, *WITH_BODY, special=_WAITS),
)


def read(kind: PlanKind) -> Callable[[Any], Any]:
    """Reading one plan."""
    return extend_schema(operation_id=f"read_{kind}", tags=_TAGS, responses=answers(200, Plan))


def steer(kind: PlanKind, step: str) -> Callable[[Any], Any]:
    """Pausing, resuming or cancelling one."""
    return extend_schema(
        operation_id=f"{step}_{kind}",
        tags=_TAGS,
        request=Why,
        responses=answers(200, Plan, *WITH_BODY, special=_WAITS),
    )
