"""Flags: how their history reads, and how their changes are made."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from flags import selectors, wording
from flags.engine import (
    DocumentError,
    FlagDefinition,
    parse_configuration,
    parse_definition,
)
from flags.models import Flag, Plan
from flags.services import changes
from flags.services.importing.asking import IMPORT
from flags.services.plans import commands, making
from flags.subjects import handlers
from flags.subjects.handlers import archived, find_flag
from portal.approvals.changes import Change, same_document
from portal.approvals.handlers import DueStep, Handler, Outcome, Side, Target, Wanted
from portal.approvals.models import ChangeRequest
from portal.lib.errors import AviaryError, Conflict
from portal.lib.journal import Step
from portal.lib.subjects import Menu, Recorded, Subject, page_at

EVENTS = {
    "flag.created": gettext_lazy("created the flag"),
    "flag.edited": gettext_lazy("edited the flag"),
    "flag.enabled": gettext_lazy("turned on"),
    "flag.disabled": gettext_lazy("turned off"),
    "flag.targeting_changed": gettext_lazy("changed the targeting of"),
    "flag.introduced": gettext_lazy("introduced"),
    "flag.withdrawn": gettext_lazy("took back the introduction of"),
    "flag.archived": gettext_lazy("archived the flag"),
    "flag.restored": gettext_lazy("restored the flag"),
    "environment.flags_started": gettext_lazy("gave every flag a configuration in"),
    "flag.schedule_created": gettext_lazy("planned a change of"),
    "flag.schedule_paused": gettext_lazy("paused a schedule of"),
    "flag.schedule_resumed": gettext_lazy("resumed a schedule of"),
    "flag.schedule_cancelled": gettext_lazy("cancelled a schedule of"),
    "flag.schedule_was_so": gettext_lazy("was already applied to"),
    "flag.schedule_step_failed": gettext_lazy("could not carry out what was planned for"),
    "flag.schedule_held": gettext_lazy("is waiting to continue"),
    "flag.schedule_held_back": gettext_lazy("was paused on"),
    "flag.schedule_stopped": gettext_lazy("ended with"),
    "flag.ramp_created": gettext_lazy("planned a ramp of"),
    "flag.ramp_paused": gettext_lazy("paused a ramp of"),
    "flag.ramp_resumed": gettext_lazy("resumed a ramp of"),
    "flag.ramp_cancelled": gettext_lazy("cancelled a ramp of"),
    "flag.ramp_was_so": gettext_lazy("was already applied to"),
    "flag.ramp_step_failed": gettext_lazy("could not take a step of the ramp of"),
    "flag.ramp_held": gettext_lazy("is waiting to continue the ramp of"),
    "flag.ramp_held_back": gettext_lazy("was paused on the ramp of"),
    "flag.ramp_stopped": gettext_lazy("ended the ramp of"),
}
UNKNOWN_EVENTS = {
    "unknown_flag.ignored": gettext_lazy("ignored the unknown flag"),
    "unknown_flag.watched": gettext_lazy("stopped ignoring the unknown flag"),
}


def _describe(events: Sequence[Recorded]) -> list[list[str]]:
    definitions = selectors.definitions_of({(event.project, event.subject) for event in events})
    return [_changes(event, definitions.get((event.project, event.subject))) for event in events]


def _changes(event: Recorded, definition: FlagDefinition | None) -> list[str]:
    """The change in sentences. Variants may have changed since, so a document may not parse now."""
    before, after = event.before_document, event.after_document
    if after and "plan" in after and isinstance(after["words"], list):
        return [str(sentence) for sentence in after["words"]]
    if event.event not in EVENTS or before is None or after is None or "archived" in after:
        return []
    try:
        if not event.environment:
            return wording.definition_changes(parse_definition(before), parse_definition(after))
        return _configuration_changes(before, after, definition) if definition else []
    except DocumentError:
        return [_("It refers to variants that the flag no longer has; see the documents.")]


def _configuration_changes(
    before: dict[str, Any], after: dict[str, Any], definition: FlagDefinition
) -> list[str]:
    sentences = wording.configuration_changes(
        parse_configuration(before, definition), parse_configuration(after, definition)
    )
    # The headline says already whether it was turned on or off.
    said = before["enabled"] != after["enabled"] and "introduced" not in before | after
    return sentences[1:] if said else sentences


def _restore(event: Recorded) -> tuple[str, dict[str, object]] | None:
    after = event.after_document or {}
    if event.event in ("flag.created", "flag.edited"):
        # What it answered from the start is of its environments, each with rows of its own.
        return changes.DEFINITION, {name: after[name] for name in after if name != "environments"}
    return (changes.CONFIGURATION, after) if "enabled" in after else None


# How schedules and ramps are made, once they are agreed to, and shown until then.


NEW = "0"
Planned = tuple[Flag, Plan | None, ChangeRequest]


def _find(target: Target) -> Planned:
    """The flag, and the plan that a request resumes; none where it makes a new one."""
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
    """Who gets what now, and once the plan is carried out to its end."""
    if not request.is_open:
        return []  # what it started from is not known any more
    flag, environment = found[0], request.environments.get()
    kind = request.kind.removeprefix("flag.")
    plan = Plan(kind=kind, flag=flag, environment=environment, document=request.after)
    current = making.current_configuration(plan).document
    plan.step = len(plan.steps) - 1 if plan.is_ramp else 0
    try:
        end = making.outcome(plan, current)
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
        says_so = same_document(making.outcome(plan, change.before), change.after)
    except AviaryError:
        return None
    if not says_so:
        return None
    return DueStep(plan.author_actor, making.plan_change(plan), plan.agreement_id)


def _is_due(plan: Plan, step: Step, at: datetime) -> bool:
    due = plan.is_running and plan.due_at is not None and plan.due_at <= at
    return due and (making.kind_name(plan), plan.step) == (step.kind, step.number)


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


SCHEDULE, RAMP = _handler(making.create_schedule), _handler(making.create_ramp)


FLAG = Subject(
    kind="flag",
    menu=Menu(10, gettext_lazy("Flags"), "flag", "flag-list", "/flag"),
    label=gettext_lazy("flag"),
    events=EVENTS,
    describe=_describe,
    address=page_at("flag", "subject"),
    restore=_restore,
    changes={
        changes.CONFIGURATION: handlers.CONFIGURATION,
        changes.DEFINITION: handlers.DEFINITION,
        changes.ARCHIVING: handlers.ARCHIVING,
        IMPORT: handlers.IMPORT,
        "flag.schedule": SCHEDULE,
        "flag.ramp": RAMP,
    },
)
UNKNOWN_FLAG = Subject(
    kind="unknown_flag",
    label=gettext_lazy("unknown flag"),
    events=UNKNOWN_EVENTS,
    address=page_at("unknown-flag-list", "environment"),
)
