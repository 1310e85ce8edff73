from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from flags.core.parsing import configuration_from, without_past_releases
from flags.core.selectors import refuse_moved
from flags.engine import dump_configuration
from flags.models import Flag, FlagConfiguration
from flags.schedules import descriptions
from flags.schedules.models import Plan, PlanKind
from flags.schedules.ramps import (
    OPERATIONS,
    Halted,
    following,
    share_of,
    targeting_digest,
    timetable_of,
    with_share,
)
from flags.schedules.reading import read_ramp, read_schedule
from portal.access import outbox
from portal.access.models import Environment
from portal.approvals import gate
from portal.approvals.authors import answer_for
from portal.approvals.changes import Change
from portal.approvals.services import gated
from portal.lib.errors import Conflict, Invalid, checked_text
from portal.lib.journal import Intent
from portal.notifications import services as notifications

# More than anybody follows; each is a due row.
MOST_PLANS = 50


@gated
def create_schedule(
    *, flag: Flag, environment: Environment, document: object, intent: Intent
) -> Plan:
    """Plan a change of a flag in one environment for an instant, or for many.

    Raises Invalid with each field that is wrong (see flags.schedules.reading), or where it would
    never happen; Forbidden without what the change itself takes; Waiting where the environment's
    policy wants others to agree; Conflict where what it replaces was changed since that was asked.
    """
    moment, current = intent.at, _locked(flag, environment)
    wanted = read_schedule(document, moment=moment)
    _check_schedule(wanted, current)
    (first,) = following(timetable_of(wanted), moment)
    plan = _plan(PlanKind.SCHEDULE, current, wanted, moment, first.at)
    plan.base = wanted.get("base", "")
    return _store(plan, current, intent=intent)


@gated
def create_ramp(*, flag: Flag, environment: Environment, document: object, intent: Intent) -> Plan:
    """Plan a share of a flag in one environment to rise, step by step.

    Raises what create_schedule raises; Invalid too where its place is not there, or has another
    ramp already.
    """
    moment, current = intent.at, _locked(flag, environment)
    wanted = read_ramp(document, moment=moment)
    starts = wanted["starts"] and following(timetable_of(wanted), moment)[0].at
    plan = _plan(PlanKind.RAMP, current, wanted, moment, starts or moment)
    plan.anchor_at = plan.due_at
    plan.due_at = (starts or moment) + timedelta(seconds=plan.steps[0].after_s)
    _check_ramp(plan, current)
    return _store(plan, current, intent=intent)


def _locked(flag: Flag, environment: Environment) -> FlagConfiguration:
    (locked,) = outbox.lock_environments([environment])
    current = locked.configurations.select_related("flag__project").get(flag=flag)
    if current.flag.is_archived:
        raise Invalid({"": _("This flag is archived. Restore it first.")})
    if not current.introduced:
        raise Invalid.of(
            "",
            _("This flag is not in {environment} yet. Introduce it first."),
            environment=locked.name,
        )
    if Plan.objects.alive().filter(flag=flag, environment=locked).count() >= MOST_PLANS:
        raise Invalid.of("", _("There are {n} plans already; cancel some."), n=MOST_PLANS)
    return current


def _plan(
    kind: PlanKind,
    current: FlagConfiguration,
    document: dict[str, Any],
    moment: datetime,
    due_at: datetime,
) -> Plan:
    return Plan(
        kind=kind,
        flag=current.flag,
        environment=current.environment,
        document=document,
        due_at=due_at,
        created_at=moment,
    )


def _check_schedule(wanted: dict[str, Any], current: FlagConfiguration) -> None:
    """That it could be carried out now. Fills in what a replacement was made for."""
    document, definition = current.document, current.flag.definition
    if wanted["operation"] == "percent":
        if all(rule.id != wanted["rule"] for rule in current.configuration.rules):
            raise Invalid({"rule": _("There is no such rule.")})
    elif wanted["operation"] == "replace":
        after = {"enabled": document["enabled"], **wanted["configuration"]}
        configuration_from(after, definition, under="configuration")
        base = targeting_digest(document)
        if wanted["base"] not in ("", base):
            text = _("Somebody changed who gets what since this was asked for.")
            raise Conflict(text, current=document, yours=after)
        wanted["base"] = base


def _check_ramp(plan: Plan, current: FlagConfiguration) -> None:
    target, steps = plan.document["target"], plan.steps
    share = share_of(current.document, target)
    if share is None:
        raise Invalid({"target": _no_place(target)})
    if steps[-1].share < share:
        raise Invalid({"target": _("It is higher than the ramp's end already.")})
    if steps[0].share < share or (steps[0].share == share and "steps" in plan.document):
        text = _("The share is {percent} % now: start above it.")
        where = "steps[0].percent" if "steps" in plan.document else "linear.from"
        raise Invalid({where: text.format(percent=f"{share / 1000:g}")})
    if not (current.enabled or plan.document["starts"]):
        raise Invalid.of(
            "",
            _("The flag is off in {environment}: turn it on first, or let the ramp start later."),
            environment=plan.environment.name,
        )
    plan.step = len(steps) - 1
    outcome(plan, current.document)  # raises where the other share has no room for it
    plan.step = 0
    running = Plan.objects.alive().filter(flag=plan.flag, environment=plan.environment, kind="ramp")
    refuse_moved(plan.flag, plan.environment)
    if any(other.document["target"] == target for other in running):
        raise Invalid({"target": _("There is a ramp for this already; cancel it first.")})


def _no_place(target: dict[str, str]) -> str:
    if target["part"] == "audience":
        return _("There is no such rule, or it has no rollout percentage; set one first.")
    return _("There is no split there; choose one with two shares or more.")


def _store(plan: Plan, current: FlagConfiguration, *, intent: Intent) -> Plan:
    for permission in plan.permissions:
        gate.require(intent, permission, project=plan.flag.project, environment=plan.environment)
    change = plan_change(plan, current.document)
    result = gate.check(change, intent)
    plan.reason = checked_text(intent.reason, "reason")
    answer_for(plan, intent.actor, intent.options.agreement)
    plan.changed_at, plan.changed_by = plan.created_at, intent.actor.label
    plan.save()
    record_plan("created", plan, result.intent, words=change.words)
    return plan


# What creating plans, their commands and their steps have in common.


Document = Mapping[str, Any]


def kind_name(plan: Plan) -> str:
    return f"flag.{plan.kind}"


def plan_change(plan: Plan, current: Document | None = None) -> Change:
    """A plan as the change that others agree to. Nobody notices it before its first step.

    ``current`` is the configuration as it is, for the words; nothing else depends on it.
    """
    return Change(
        kind=kind_name(plan),
        project=plan.flag.project,
        environments=(plan.environment,),
        subject_kind="flag",
        subject=plan.flag.key,
        title=descriptions.title(plan),
        base_version=plan.agreed_as,
        before={},
        after=plan.document,
        permissions=plan.permissions,
        words=tuple(descriptions.words(plan, current) if current is not None else ()),
        turns_off=plan.turns_off,
        serves=False,
    )


def current_configuration(plan: Plan) -> FlagConfiguration:
    current = FlagConfiguration.objects.get(flag=plan.flag, environment=plan.environment)
    current.flag, current.environment = plan.flag, plan.environment
    return current


def outcome(plan: Plan, current: Document) -> dict[str, Any]:
    """What the next step makes of a configuration, as it is stored.

    Raises Halted where the plan's place in it is gone, or somebody changed what it replaces;
    Invalid where it does not fit the flag any more.
    """
    found = _ramped(plan, current) if plan.is_ramp else _scheduled(plan, current)
    found = without_past_releases(found, current)
    return dump_configuration(configuration_from(found, plan.flag.definition))


def _ramped(plan: Plan, current: Document) -> dict[str, Any]:
    found = with_share(current, plan.document["target"], plan.steps[plan.step].share)
    if found is None:
        raise Halted(_("There is no such share any more, or no room for it."), ends=True)
    return found


def _scheduled(plan: Plan, current: Document) -> dict[str, Any]:
    if plan.base and plan.base != targeting_digest(current):
        raise Halted(_("Somebody changed who gets what since this was planned."))
    return OPERATIONS[plan.document["operation"]].carry_out(current, plan.document)


def lock_plan(plan: Plan) -> Plan:
    (environment,) = outbox.lock_environments([plan.environment])
    locked = Plan.objects.select_for_update(of=("self",), no_key=True)
    found = locked.select_related("flag__project").get(pk=plan.pk)
    found.environment = environment
    return found


def record_plan(event: str, plan: Plan, intent: Intent, *, words: Iterable[str] = ()) -> None:
    after: dict[str, object] = {"plan": plan.pk, "kind": plan.kind, "state": plan.state}
    if plan.due_at:
        after["planned_for"] = plan.due_at.isoformat()
    after["words"] = [descriptions.title(plan), *words]
    intent.record(f"flag.{plan.kind}_{event}", plan, after=after)


def tell_author(plan: Plan, key: str, problem: str) -> None:
    if plan.author_user is None:
        return
    with translation.override(settings.LANGUAGE_CODE):
        text = _("It does not go on by itself: {title}").format(title=descriptions.title(plan))
    path = reverse(
        "flag-timeline", args=[plan.flag.project.key, plan.environment.key, plan.flag.key]
    )
    body = f"{text}\n\n{problem}\n\n{settings.PORTAL_URL}{path}\n"
    name = f"[{plan.flag.project.name}] {text}"
    notifications.notify(to=[plan.author_user], key=key, subject=name, text=body)
