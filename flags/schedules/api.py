"""``…/environments/{environment}/schedules`` and ``…/ramps``: what is planned for flags there."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from flags.core import selectors
from flags.core.api.shapes import CONFIGURATION, PERCENT
from flags.models import Flag
from flags.schedules import commands, create
from flags.schedules.models import Plan, PlanKind
from flags.schedules.ramps import OPERATIONS, following
from portal.access.api.scope import environment_of, holder_of
from portal.access.models import Environment
from portal.lib.api.endpoints import answer, answer_page, find, switch, text
from portal.lib.api.shapes import (
    MOMENT,
    NUMBER,
    OBJECT,
    TEXT,
    TEXTS,
    WHOLE,
    PageShape,
    Shape,
    read_object,
)
from portal.lib.api.views import WAITS, ApiView, operation, query
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.runs.models import RunState

_TAG = "one environment"
NEW_SCHEDULE = Shape(
    "NewSchedule",
    {
        "flag": TEXT("Its key."),
        "operation": TEXT(enum=list(OPERATIONS)),
        "starts": TEXT(
            "What the clock shows in the zone, such as 2026-12-24T16:00.",
            pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}$",
        ),
        "zone": TEXT("An IANA name, such as Europe/Berlin."),
        "rrule": TEXT("Such as FREQ=WEEKLY;BYDAY=MO; once without it.", optional=True),
        "rule": TEXT("For `percent`: the id of the rule.", optional=True),
        "percent": NUMBER("For `percent`, by 0.001.", optional=True, minimum=0, maximum=100),
        "configuration": CONFIGURATION.one("For `replace`.", optional=True),
        "reason": TEXT(optional=True),
    },
)
RAMP_TARGET = Shape(
    "RampTarget",
    {
        "part": TEXT(enum=["audience", "split"]),
        "rule": TEXT("Its id; for a split, none is everyone else.", optional=True),
    },
)
RAMP_STEP = Shape(
    "RampStep", {"percent": PERCENT, "after_s": WHOLE("Seconds after the start.", minimum=0)}
)
LINEAR = Shape(
    "Linear",
    {
        "from": PERCENT,
        "to": PERCENT,
        "duration_s": WHOLE(minimum=60),
        "interval_s": WHOLE("From one step to the next.", minimum=60),
    },
)
NEW_RAMP = Shape(
    "NewRamp",
    {
        "flag": TEXT("Its key."),
        "target": RAMP_TARGET.one(),
        "steps": RAMP_STEP.many("Either these or `linear`; rising.", optional=True),
        "linear": LINEAR.one(optional=True),
        "starts": TEXT("As of a schedule; at once without it.", optional=True),
        "zone": TEXT(optional=True),
        "reason": TEXT(optional=True),
    },
)
WHY = Shape("Why", {"reason": TEXT(optional=True)})
UPCOMING = 5


def _plan(plan: Plan) -> dict[str, object]:
    return {name: value for name, value in plan.document.items() if name != "base"}


def _next(plan: Plan) -> list[str]:
    """The next instants in UTC: of a schedule five at most, of a ramp that of its next step."""
    if not plan.is_running or plan.due_at is None:
        return []
    found: list[datetime] = [plan.due_at]
    if not plan.is_ramp and plan.timetable.rrule:
        found += [one.at for one in following(plan.timetable, plan.due_at, UPCOMING - 1)]
    return [at.isoformat() for at in found]


PLAN = Shape(
    "Plan",
    {
        "id": WHOLE(of="pk"),
        "kind": TEXT(enum=PlanKind.values),
        "flag": TEXT(of="flag.key"),
        "state": TEXT(enum=RunState.values),
        "plan": OBJECT("As it was created.", of=_plan),
        "reason": TEXT(),
        "problem": TEXT("What keeps it from going on; or empty."),
        "author": TEXT(),
        "steps_done": WHOLE(of="step"),
        "due_at": MOMENT(nullable=True),
        "next": TEXTS("In UTC.", of=_next, items=MOMENT.schema),
        "change_request": WHOLE(
            "The one that others agreed to it by.", of="agreement_id", nullable=True
        ),
        "created_at": MOMENT(),
    },
)
SCHEDULES = PageShape("SchedulePage", "schedules", PLAN.many())
RAMPS = PageShape("RampPage", "ramps", PLAN.many())
_NARROWED = [
    query("flag", "Only the plans of the flag with this key."),
    query("over", "Also those that are finished or cancelled.", bool),
]


class PlanList(ApiView):
    """The plans of one kind in an environment."""

    kind: ClassVar[PlanKind]
    page: ClassVar[PageShape]
    make: ClassVar[Callable[..., Plan]]

    def list_plans(self, request: Request, project: str, environment: str) -> Response:
        """A page of plans, the newest first; those that are over only where they are asked for."""
        place = environment_of(request, project, environment)
        found = Plan.objects.filter(environment=place, kind=self.kind).select_related("flag")
        key = text(request, "flag")
        found = found.filter(flag__key=key) if key else found
        found = found if switch(request, "over") else found.alive()
        return answer_page(request, self.page, found, by="-pk")

    def create_plan(self, request: Request, project: str, environment: str) -> Response:
        place = environment_of(request, project, environment)
        document = dict(read_object(request.data))
        flag = _flag_of(place, document.pop("flag", None))
        reason = document.pop("reason", "")
        if not isinstance(reason, str):
            raise Invalid({"reason": _("Send a text.")})
        plan = type(self).make(
            flag=flag,
            environment=place,
            document=document,
            intent=Intent(holder_of(request).actor, reason),
        )
        where = reverse(f"api-{self.kind}", args=[project, environment, plan.pk])
        return answer(PLAN.dump(plan), at=where)


class ScheduleList(PlanList):
    """The schedules of an environment."""

    kind = PlanKind.SCHEDULE
    page = SCHEDULES
    make = staticmethod(create.create_schedule)

    @operation("list_schedules", _TAG, SCHEDULES, parameters=_NARROWED)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of schedules, the newest first; those that are over only with ``over``."""
        return self.list_plans(request, project, environment)

    @operation("create_schedule", _TAG, PLAN, WAITS, status=201, body=NEW_SCHEDULE)
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Plan a change for an instant, or for many by a recurrence rule in a named zone.

        A time that the clocks there skip happens when they are put forward; one that they show
        twice happens the first time. What was missed while the worker was away happens once.
        """
        return self.create_plan(request, project, environment)


class RampList(PlanList):
    """The ramps of an environment."""

    kind = PlanKind.RAMP
    page = RAMPS
    make = staticmethod(create.create_ramp)

    @operation("list_ramps", _TAG, RAMPS, parameters=_NARROWED)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of ramps, the newest first; those that are over only with ``over``."""
        return self.list_plans(request, project, environment)

    @operation("create_ramp", _TAG, PLAN, WAITS, status=201, body=NEW_RAMP)
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Let a rule's audience, or the first share of a split, rise over time.

        It only ever adds users. It rests where somebody sets the share by hand or turns the flag
        off, and ends where its rule is gone.
        """
        return self.create_plan(request, project, environment)


def detail_view(kind: PlanKind) -> type[ApiView]:
    """The endpoint that reads one plan of a kind."""

    class PlanDetail(ApiView):
        @operation(f"read_{kind}", _TAG, PLAN)
        def get(self, request: Request, project: str, environment: str, plan: int) -> Response:
            """One plan, with the next times at which it happens."""
            return answer(PLAN.dump(_plan_of(request, project, environment, kind, plan)))

    return PlanDetail


def step_view(kind: PlanKind, step: str) -> type[ApiView]:
    """The endpoint that pauses, resumes or cancels plans of a kind."""

    class StepView(ApiView):
        @operation(f"{step}_{kind}", _TAG, PLAN, WAITS, body=WHY)
        def post(self, request: Request, project: str, environment: str, plan: int) -> Response:
            """Stopping needs no approval from anyone who can change the flag; resuming may."""
            found = _plan_of(request, project, environment, kind, plan)
            reason = WHY.read(request.data or {}).get("reason", "")
            after = _STEPS[step](plan=found, intent=Intent(holder_of(request).actor, reason))
            return answer(PLAN.dump(after))

    return StepView


_STEPS: dict[str, Callable[..., Plan]] = {
    "pause": commands.pause_plan,
    "resume": commands.resume_plan,
    "cancel": commands.cancel_plan,
}


def _flag_of(place: Environment, key: object) -> Flag:
    if not isinstance(key, str) or not key or "\0" in key:
        raise Invalid({"flag": _("Say which flag, by its key.")})
    try:
        return selectors.get_flag(place.project, key)
    except Flag.DoesNotExist:
        raise Invalid({"flag": _("There is no such flag.")}) from None


def _plan_of(request: Request, project: str, environment: str, kind: PlanKind, number: int) -> Plan:
    place = environment_of(request, project, environment)
    plans = Plan.objects.select_related("flag__project")
    plan = find(plans.filter(environment=place, kind=kind), pk=number)
    plan.environment = place
    return plan
