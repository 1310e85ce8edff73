"""Plans as approvals know them: carrying out what was agreed to, and answering the gate."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse

from flags.models import Flag, Plan
from flags.services import changes
from flags.services.plans import commands, making, shared
from portal.approvals import kinds
from portal.approvals.changes import Change, same_document
from portal.approvals.kinds import DueStep, Outcome, Side
from portal.approvals.models import ChangeRequest
from portal.lib.errors import AviaryError, Conflict
from portal.lib.intent import Intent, Step

Document = Mapping[str, Any]
NEW = "0"


def register_all() -> None:
    """Tell approvals who keeps plans."""
    kinds.register("flag.schedule", PlanKind(making.create_schedule))
    kinds.register("flag.ramp", PlanKind(making.create_ramp))
    for name in ("flag.schedule", "flag.ramp"):
        kinds.register_planner(name, FlagPlanner())


class PlanKind:
    """A new plan, or a paused one that goes on: then the base says which."""

    def __init__(self, create: Any) -> None:
        self.create = create

    def apply(
        self, request: ChangeRequest, *, document: Document, base_version: str, intent: Intent
    ) -> None:
        if base_version == NEW:
            self.create(
                flag=_flag_of(request),
                environment=request.environments.get(),
                document=document,
                intent=intent,
            )
            return
        plan = _resumed(request)
        if plan is None or self.current(request).version != base_version:
            raise Conflict("", current={}, yours=dict(document))
        commands.resume_plan(plan=plan, intent=intent)

    def current(self, request: ChangeRequest) -> Side:
        """Nothing, before there is a plan; else which resumption of it would be next."""
        if request.base_version == NEW:
            return Side(NEW, {})
        plan = _resumed(request)
        return Side(f"{plan.pk}.{plan.round + 1}" if plan and plan.is_paused else "", {})

    def address(self, request: ChangeRequest) -> str:
        environment = request.environments.get().key
        return reverse("flag-timeline", args=[request.project.key, environment, request.subject])

    def edit_address(self, request: ChangeRequest) -> str:
        return ""

    def words(self, request: ChangeRequest, before: Document) -> list[str]:
        return list(request.words)

    def outcomes(self, request: ChangeRequest) -> list[Outcome]:
        """Who gets what now, and once the plan is carried out to its end."""
        if not request.is_open:
            return []  # what it started from is not known any more
        flag, environment = _flag_of(request), request.environments.get()
        kind = request.kind.removeprefix("flag.")
        plan = Plan(kind=kind, flag=flag, environment=environment, document=request.after)
        current = shared.current_configuration(plan).document
        plan.step = len(plan.steps) - 1 if plan.is_ramp else 0
        try:
            end = shared.outcome(plan, current)
        except AviaryError:
            return []
        sides = (changes.who_gets_what(flag, one) for one in (current, end))
        return [Outcome(environment.name, *sides, environment=environment.key)]


class FlagPlanner:
    """Schedules and ramps, asked by the gate."""

    def due_step(self, step: Step, change: Change, *, at: datetime) -> DueStep | None:
        found = Plan.objects.select_related("flag__project", "environment")
        plan = found.filter(pk=step.plan).first()
        if plan is None or not _is_due(plan, step, at) or not _is_about(plan, change):
            return None
        try:
            says_so = same_document(shared.outcome(plan, change.before), change.after)
        except AviaryError:
            return None
        if not says_so:
            return None
        return DueStep(plan.author_actor, shared.plan_change(plan), plan.agreement_id)


def _is_due(plan: Plan, step: Step, at: datetime) -> bool:
    due = plan.is_running and plan.due_at is not None and plan.due_at <= at
    return due and (shared.kind_name(plan), plan.step) == (step.kind, step.number)


def _is_about(plan: Plan, change: Change) -> bool:
    places = [environment.pk for environment in change.environments]
    about = (change.kind, change.project.pk, change.subject, places)
    mine = (changes.CONFIGURATION, plan.flag.project_id, plan.flag.key, [plan.environment_id])
    return about == mine


def _flag_of(request: ChangeRequest) -> Flag:
    flag = Flag.objects.get(project=request.project, key=request.subject)
    flag.project = request.project
    return flag


def _resumed(request: ChangeRequest) -> Plan | None:
    """The plan that a request resumes."""
    number, _dot, _round = request.base_version.partition(".")
    found = Plan.objects.select_related("flag__project", "environment")
    return found.filter(pk=number, flag__project=request.project).first()
