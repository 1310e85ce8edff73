"""What creating plans, their commands and their steps have in common."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from flags.engine import dump_configuration
from flags.models import FlagConfiguration, Plan
from flags.plans import OPERATIONS, Halted, targeting_digest, with_share
from flags.services.parsing import configuration_from
from flags.services.plans import sentences
from portal.access import outbox
from portal.approvals.changes import Change
from portal.letters import services as letters
from portal.lib.intent import Intent

Document = Mapping[str, Any]


def kind_name(plan: Plan) -> str:
    """What approvals call a plan of that kind."""
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
        title=sentences.title(plan),
        base_version=plan.agreed_as,
        before={},
        after=plan.document,
        permissions=plan.permissions,
        words=tuple(sentences.words(plan, current) if current is not None else ()),
        turns_off=plan.turns_off,
        serves=False,
    )


def current_configuration(plan: Plan) -> FlagConfiguration:
    """The configuration that a plan is about."""
    current = FlagConfiguration.objects.get(flag=plan.flag, environment=plan.environment)
    current.flag, current.environment = plan.flag, plan.environment
    return current


def outcome(plan: Plan, current: Document) -> dict[str, Any]:
    """What the next step makes of a configuration, as it is stored.

    Raises Halted where the plan's place in it is gone, or somebody changed what it replaces;
    Invalid where it does not fit the flag any more.
    """
    found = _ramped(plan, current) if plan.is_ramp else _scheduled(plan, current)
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
    """A plan and its environment, their rows locked, in the order of every writer."""
    (environment,) = outbox.lock_environments([plan.environment])
    locked = Plan.objects.select_for_update(of=("self",), no_key=True)
    found = locked.select_related("flag__project").get(pk=plan.pk)
    found.environment = environment
    return found


def record_plan(event: str, plan: Plan, intent: Intent, *, words: Iterable[str] = ()) -> None:
    """Write the audit row of something that happened to a plan; it belongs to the flag's."""
    after: dict[str, object] = {"plan": plan.pk, "kind": plan.kind, "state": plan.state}
    if plan.due_at:
        after["planned_for"] = plan.due_at.isoformat()
    after["words"] = [sentences.title(plan), *words]
    intent.record(f"flag.{plan.kind}_{event}", plan, after=after)


def tell_author(plan: Plan, key: str, problem: str) -> None:
    """Tell who answers for a plan that it does not go on, in the site's language."""
    if plan.author_user is None:
        return
    with translation.override(settings.LANGUAGE_CODE):
        text = _("It does not go on by itself: {title}").format(title=sentences.title(plan))
    path = reverse(
        "flag-timeline", args=[plan.flag.project.key, plan.environment.key, plan.flag.key]
    )
    body = f"{text}\n\n{problem}\n\n{settings.PORTAL_URL}{path}\n"
    name = f"[{plan.flag.project.name}] {text}"
    letters.write_letters(to=[plan.author_user], key=key, subject=name, text=body)
