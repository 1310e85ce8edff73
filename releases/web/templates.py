from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.paging import page_of
from portal.lib.web.pages import (
    Refusal,
    asked_places,
    governed,
    paging,
    redirect_to,
    render_page,
    show_form,
)
from releases.catalogue.descriptions import check_sentence
from releases.core import descriptions
from releases.engine.plans import Strategy, read_plan, usual_plan
from releases.policies import templates
from releases.policies.descriptions import cohort_sentences
from releases.policies.models import PlanTemplate, ReleasePolicy
from releases.web import check_form, plan_form, tagged_form
from releases.web.labels import STRATEGIES
from releases.web.services import why_not_create

_PAGE = ("releases/plan_template.html", "releases/_plan_template.html")


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_templates(request: HttpRequest, scope: Scope) -> HttpResponse:
    after, before = asked_places(request)
    rows = PlanTemplate.objects.filter(project=scope.project).order_by("key", "pk")
    page = page_of(rows, after=after, before=before)
    policies = list(ReleasePolicy.objects.filter(project=scope.project))
    context = {
        "scope": scope,
        "tab": "templates",
        "rows": [
            (one, _sentences(one), [p for p in policies if one.key in p.templates])
            for one in page.rows
        ],
        "why_not": why_not_create(scope),
        **paging(request, page),
    }
    return render_page(
        request, "releases/plan_templates.html", "releases/_plan_templates.html", context
    )


def _sentences(template: PlanTemplate) -> list[str]:
    plan = read_plan(template.plan)
    shares = ", ".join(descriptions.step_words(step) for step in plan.steps)
    text = _("{strategy}: {shares}.")
    said = [text.format(strategy=str(STRATEGIES[plan.strategy]).capitalize(), shares=shares)]
    said += descriptions.strategy_sentences(plan)
    if plan.cohorts:
        said.append(_("First the cohorts {names}.").format(names=", ".join(plan.cohorts)))
        said += cohort_sentences(template.project, plan.cohorts)
    return said + [check_sentence(check) for check in plan.checks]


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def create_template(request: HttpRequest, scope: Scope) -> HttpResponse:
    return _edit(request, scope, None)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def edit_template(request: HttpRequest, scope: Scope, template: str) -> HttpResponse:
    return _edit(request, scope, _find(scope, template))


def _edit(request: HttpRequest, scope: Scope, found: PlanTemplate | None) -> HttpResponse:
    """The page of the form. With ``do`` it is rearranged; otherwise it is saved when sent."""
    form, refusal = _form_of(request, found), Refusal()
    if do := request.POST.get("do", ""):
        try:
            form = plan_form.rearranged(form, do)
        except Invalid as error:
            refusal = Refusal(error)
        return show_form(request, _PAGE, _context(request, scope, found, form, refusal), refusal)

    def save() -> HttpResponse:
        kept = templates.put_template(
            project=scope.project,
            key=found.key if found else form.get("template_key", "").strip(),
            name=form.get("template_name", "").strip(),
            plan={**plan_form.plan_of(form), "strategy": form.get("strategy", "")},
            is_new=found is None,
            intent=Intent(scope.actor),
        )
        notice = _("Saved the plan template {name}.").format(name=kept.name)
        return redirect_to(request, _list_of(scope), notice)

    return governed(request, _PAGE, partial(_context, request, scope, found, form), save)


def _form_of(request: HttpRequest, found: PlanTemplate | None) -> plan_form.Form:
    if request.method == "POST":
        return plan_form.sent_form(request.POST)
    form = plan_form.new_form(request.GET)
    if found is None:
        return form | plan_form.with_plan(usual_plan(Strategy.CANARY))
    return form | plan_form.templated(found) | {"template_name": found.name}


def _context(
    request: HttpRequest,
    scope: Scope,
    found: PlanTemplate | None,
    form: plan_form.Form,
    refusal: Refusal,
) -> dict[str, Any]:
    errors = tagged_form.by_row(form, refusal.errors)
    return {
        "scope": scope,
        "found": found,
        "form": form,
        "form_url": request.path,
        "segments": scope.project.segments.all()[: plan_form.MOST_OFFERED],
        "steps": plan_form.step_inputs(form, errors),
        "checks": check_form.inputs_of(form["checks"], "checks", plan_form.of_plan(errors)),
        "errors": plan_form.by_field(errors),
        "plan_errors": plan_form.of_way(errors),
        "problems": plan_form.problems_of(form, errors),
        "why_not": why_not_create(scope),
        **plan_form.choices(form),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def delete_template(request: HttpRequest, scope: Scope, template: str) -> HttpResponse:
    found = _find(scope, template)

    def save() -> HttpResponse:
        templates.delete_template(template=found, intent=Intent(scope.actor))
        notice = _("{name} is deleted; the history keeps what it was.").format(name=found.name)
        return redirect_to(request, _list_of(scope), notice)

    context = {
        "scope": scope,
        "name": found.name,
        "text": _("Releases that were planned by it keep their plan."),
        "why_not": why_not_create(scope),
    }
    return governed(request, "releases/_delete_dialog.html", context, save)


def _find(scope: Scope, key: str) -> PlanTemplate:
    rows = PlanTemplate.objects.select_related("project")
    return get_object_or_404(rows, project=scope.project, key=key)


def _list_of(scope: Scope) -> str:
    return reverse("plan-templates", args=[scope.project.key])
