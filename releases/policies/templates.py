"""Plans that a team keeps under names, to be taken by the next release."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.access import outbox
from portal.access.models import Project
from portal.approvals.models import ChangeRequest, State
from portal.lib.documents import Reader, name as read_name, record
from portal.lib.errors import Invalid, refuse
from portal.lib.journal import Intent
from releases.catalogue.reading import read_key, valid
from releases.catalogue.services import require_somewhere
from releases.engine.plans import Plan, read_plan
from releases.policies.models import PlanTemplate, ReleasePolicy
from releases.policies.services import POLICY, places_of

MOST_TEMPLATES = 200
_read: Reader[dict[str, Any]] = record(
    dict, {"key": read_key, "name": read_name(200, 1), "plan": read_plan}
)


@transaction.atomic
def put_template(
    *, project: Project, key: str, name: str, plan: object, intent: Intent, is_new: bool = False
) -> PlanTemplate:
    """Keep a plan under a key, or another one. Releases that took it keep what they took.

    Raises Forbidden without ``release.create`` in any environment; Invalid with each field that is
    wrong, where the key ``is_new`` and taken, where a release policy requires the template as it
    is, and where the project has its fill of templates.
    """
    require_somewhere(project, intent)
    wanted = valid(_read, {"key": key, "name": name, "plan": plan})
    require_cohorts(project, wanted["plan"])
    outbox.lock_people(project)
    kept = PlanTemplate.objects.filter(project=project)
    template = kept.filter(key=key).first()
    before = template.document if template else None
    if template is not None and is_new:
        raise Invalid({"key": _("There is a plan template with this key already; choose another.")})
    if template is None:
        if kept.count() >= MOST_TEMPLATES:
            text = _("A project has at most {most} plan templates.")
            raise Invalid.of("", text, most=MOST_TEMPLATES)
        template = PlanTemplate(project=project, key=key)
    elif template.plan != wanted["plan"].document:
        _refuse_required(template)
    template.name, template.plan = wanted["name"], wanted["plan"].document
    if template.document == before:
        return template
    template.updated_at, template.updated_by = intent.at, intent.actor.label
    template.save()
    intent.record("plan_template.saved", template, before=before, after=template.document)
    return template


def require_cohorts(project: Project, plan: Plan) -> None:
    """Raise Invalid where a cohort is no segment of the project, or is named twice."""
    known = set(project.segments.filter(key__in=plan.cohorts).values_list("key", flat=True))
    problems = {}
    for place, key in enumerate(plan.cohorts):
        if key not in known:
            problems[f"plan.cohorts[{place}]"] = _("There is no segment {key}.").format(key=key)
        elif key in plan.cohorts[:place]:
            problems[f"plan.cohorts[{place}]"] = _("Name each segment once.")
    refuse(problems)


@transaction.atomic
def delete_template(*, template: PlanTemplate, intent: Intent) -> None:
    """Forget a plan. Raises Forbidden without ``release.create`` in any environment, Invalid where
    a release policy requires it."""
    require_somewhere(template.project, intent)
    outbox.lock_people(template.project)
    _refuse_required(template)
    template.delete()
    intent.record("plan_template.deleted", template, before=template.document)


def places_requiring(project: Project, segments: Collection[str]) -> set[int]:
    """The ids of the environments where a policy requires a template, or would, that has one of
    these segments as a cohort: who is in it is part of what a policy wants."""
    plans = PlanTemplate.objects.filter(project=project).values_list("key", "plan")
    keys = {key for key, plan in plans if not set(segments).isdisjoint(plan["cohorts"])}
    return {
        place.pk
        for policy in (_requiring(project) if keys else ())
        if not keys.isdisjoint(policy["templates"])
        for place in places_of(project, policy["environments"])
    }


def _requiring(project: Project) -> Iterator[Mapping[str, Any]]:
    yield from (one.document for one in ReleasePolicy.objects.filter(project=project))
    asked = ChangeRequest.objects.filter(project=project, state=State.OPEN, kind=POLICY)
    yield from filter(None, asked.values_list("after", flat=True))


def _refuse_required(template: PlanTemplate) -> None:
    """Who could change what a policy requires, or would by what others are asked about, could go
    round the policy."""
    for policy in _requiring(template.project):
        if template.key in policy["templates"]:
            text = _(
                "The release policy “{name}” requires this template as it is. Save the plan under "
                "another key, and have the policy changed."
            )
            raise Invalid.of("", text, name=policy["name"])
