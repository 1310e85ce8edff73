"""``…/environments/{environment}/schedules`` and ``…/ramps``: what is planned for flags there."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from flags import selectors, services
from flags.api import plan_schema as schema
from flags.models import Flag, Plan, PlanKind
from flags.plans import following
from portal.access.api.authentication import holder_of
from portal.access.api.scope import environment_of
from portal.access.models import Environment
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.query import switch, text
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid
from portal.lib.intent import Intent

UPCOMING = 5


class PlanList(ApiView):
    """The plans of one kind in an environment."""

    asks = {"GET": ("flag", "over", *PAGING)}
    kind: ClassVar[PlanKind]
    make: ClassVar[Callable[..., Plan]]
    asks = {"GET": ("flag", "over", *PAGING)}

    def list_plans(self, request: Request, project: str, environment: str) -> Response:
        """A page of plans, the newest first; those that are over only where they are asked for."""
        place = environment_of(request, project, environment)
        found = Plan.objects.filter(environment=place, kind=self.kind).select_related("flag")
        key = text(request, "flag")
        found = found.filter(flag__key=key) if key else found
        found = found if switch(request, "over") else found.alive()
        page, more = page_of(request, found, by="-pk")
        return listing(request, f"{self.kind}s", list(map(plan_document, page)), more)

    def create_plan(self, request: Request, project: str, environment: str) -> Response:
        place = environment_of(request, project, environment)
        if not isinstance(request.data, Mapping):
            raise Invalid({"": _("Send a JSON object.")})
        document = dict(request.data)
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
        return Response(plan_document(plan), status=201, headers={"Location": where})


class ScheduleList(PlanList):
    """The schedules of an environment."""

    kind = PlanKind.SCHEDULE
    make = staticmethod(services.create_schedule)

    @schema.list_schedules
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of schedules, the newest first; those that are over only with ``over``."""
        return self.list_plans(request, project, environment)

    @schema.create_schedule
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Plan a change for an instant, or for many by a recurrence rule in a named zone.

        A time that the clocks there skip happens when they are put forward; one that they show
        twice happens the first time. What was missed while the worker was away happens once.
        """
        return self.create_plan(request, project, environment)


class RampList(PlanList):
    """The ramps of an environment."""

    kind = PlanKind.RAMP
    make = staticmethod(services.create_ramp)

    @schema.list_ramps
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of ramps, the newest first; those that are over only with ``over``."""
        return self.list_plans(request, project, environment)

    @schema.create_ramp
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Let a rule's audience, or the first share of a split, rise over time.

        It only ever adds users. It rests where somebody sets the share by hand or turns the flag
        off, and ends where its rule is gone.
        """
        return self.create_plan(request, project, environment)


def detail(kind: PlanKind) -> type[ApiView]:
    """The endpoint that reads one plan of a kind."""

    class PlanDetail(ApiView):
        @schema.read(kind)
        def get(self, request: Request, project: str, environment: str, plan: int) -> Response:
            """One plan, with the next times at which it happens."""
            return Response(plan_document(_plan_of(request, project, environment, kind, plan)))

    return PlanDetail


def steering(kind: PlanKind, step: str) -> type[ApiView]:
    """The endpoint that pauses, resumes or cancels plans of a kind."""

    class Steering(ApiView):
        @schema.steer(kind, step)
        def post(self, request: Request, project: str, environment: str, plan: int) -> Response:
            """Stopping is free for whoever may change the flag; going on may take approval."""
            found = _plan_of(request, project, environment, kind, plan)
            data = request.data if isinstance(request.data, Mapping) else {}
            unknown = sorted(map(str, set(data) - {"reason"}))
            if unknown or not isinstance(data.get("reason", ""), str):
                raise Invalid(
                    {unknown[0] if unknown else "reason": _("Send a reason, or nothing.")}
                )
            intent = Intent(holder_of(request).actor, data.get("reason", ""))
            steered = _STEPS[step](plan=found, intent=intent)
            return Response(plan_document(steered))

    return Steering


_STEPS: dict[str, Callable[..., Plan]] = {
    "pause": services.pause_plan,
    "resume": services.resume_plan,
    "cancel": services.cancel_plan,
}


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as the API answers it."""
    return {
        "id": plan.pk,
        "kind": plan.kind,
        "flag": plan.flag.key,
        "state": plan.state,
        "plan": {name: value for name, value in plan.document.items() if name != "base"},
        "reason": plan.reason,
        "problem": plan.problem,
        "author": plan.author,
        "steps_done": plan.step,
        "due_at": plan.due_at.isoformat() if plan.due_at else None,
        "next": _next(plan),
        "change_request": plan.agreement_id,
        "created_at": plan.created_at.isoformat(),
    }


def _next(plan: Plan) -> list[str]:
    """The next instants in UTC: of a schedule five at most, of a ramp that of its next step."""
    if not plan.is_running or plan.due_at is None:
        return []
    found = [plan.due_at]
    if not plan.is_ramp and plan.timetable.rrule:
        found += [one.at for one in following(plan.timetable, plan.due_at, UPCOMING - 1)]
    return [at.isoformat() for at in found]


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
    plan = plans.filter(environment=place, kind=kind, pk=_fitting(number)).first()
    if plan is None:
        raise Http404
    plan.environment = place
    return plan


def _fitting(number: int) -> int:
    """No database has a row of a number that it cannot hold."""
    return number if number < 2**63 else 0
