from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.urls import reverse

from flags.core import changes
from flags.core.handlers import archived, find_flag
from flags.models import Flag
from flags.schedules import commands, create
from flags.schedules.models import Plan
from portal.approvals.changes import Change, same_document
from portal.approvals.handlers import DueStep, Handler, Outcome, Side, Target, Wanted
from portal.approvals.models import ChangeRequest
from portal.lib.errors import AviaryError, Conflict
from portal.lib.journal import Step

NEW = "0"


Planned = tuple[Flag, Plan | None, ChangeRequest]


def _find(target: Target) -> Planned:
    """The flag, and the plan that a request resumes; None for a request that makes a new one."""
    request = target.request
    assert request is not None, "plans are not restored"
    number, _dot, _round = request.base_version.partition(".")
    rows = Plan.objects.select_related("flag__project", "environment")
    plan = rows.filter(pk=number, flag__project=request.project).first()
    return find_flag(target), plan, request


def _current(found: Planned, _wanted: object = None) -> Side:
    """Nothing, before there is a plan; else which resumption of it would be next."""
    _flag, plan, request = found
    if request.base_version == NEW:
        return Side(NEW, {})
    return Side(f"{plan.pk}.{plan.round + 1}" if plan and plan.is_paused else "", {})


def _apply(create: Callable[..., Plan], found: Planned, wanted: Wanted) -> None:
    """A new plan, or a paused one that goes on: the base says which."""
    flag, plan, request = found
    if wanted.base_version == NEW:
        create(
            flag=flag,
            environment=request.environments.get(),
            document=wanted.document,
            intent=wanted.intent,
        )
        return
    if plan is None or _current(found).version != wanted.base_version:
        raise Conflict("", current={}, yours=dict(wanted.document))
    commands.resume_plan(plan=plan, intent=wanted.intent)


def _page(target: Target) -> str:
    return reverse("flag-timeline", args=[target.project.key, target.place.key, target.subject])


def _outcomes(found: Planned, request: ChangeRequest) -> list[Outcome]:
    if not request.is_open:
        return []  # what it started from is not known any more
    flag, environment = found[0], request.environments.get()
    kind = request.kind.removeprefix("flag.")
    plan = Plan(kind=kind, flag=flag, environment=environment, document=request.after)
    current = create.current_configuration(plan).document
    plan.step = len(plan.steps) - 1 if plan.is_ramp else 0
    try:
        end = create.outcome(plan, current)
    except AviaryError:
        return []
    sides = changes.who_gets_what(flag, current, end)
    return [Outcome(environment.name, *sides, environment=environment.key)]


def _due_step(step: Step, change: Change, at: datetime) -> DueStep | None:
    found = Plan.objects.select_related("flag__project", "environment")
    plan = found.filter(pk=step.plan).first()
    if plan is None or not _is_due(plan, step, at) or not _is_about(plan, change):
        return None
    try:
        says_so = same_document(create.outcome(plan, change.before), change.after)
    except AviaryError:
        return None
    if not says_so:
        return None
    return DueStep(plan.author_actor, create.plan_change(plan), plan.agreement_id)


def _is_due(plan: Plan, step: Step, at: datetime) -> bool:
    due = plan.is_running and plan.due_at is not None and plan.due_at <= at
    return due and (create.kind_name(plan), plan.step) == (step.kind, step.number)


def _is_about(plan: Plan, change: Change) -> bool:
    places = [environment.pk for environment in change.environments]
    about = (change.kind, change.project.pk, change.subject, places)
    mine = (changes.CONFIGURATION, plan.flag.project_id, plan.flag.key, [plan.environment_id])
    return about == mine


def _handler(create: Callable[..., Plan]) -> Handler:
    return Handler(
        find=_find,
        current=_current,
        apply=partial(_apply, create),
        page=_page,
        outcomes=_outcomes,
        due_step=_due_step,
        stopped=archived,
    )


SCHEDULE, RAMP = _handler(create.create_schedule), _handler(create.create_ramp)
