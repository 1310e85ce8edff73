from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags.models import Flag
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.freezes.descriptions import frozen_sentence
from portal.approvals.freezes.selectors import freezes_in_force
from portal.approvals.web.preflight import Preflight, preflight, read_intent
from portal.lib import clock
from portal.lib.errors import Conflict, Forbidden, Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import Refusal, confirm_name, governed, redirect_to, show_form
from releases.catalogue.models import Artefact, Service, ServiceSetup
from releases.core import check_words, commands, descriptions, planning, quantities
from releases.core.drafts import possible_strategies
from releases.core.models import Release
from releases.core.planning import Preview, preview
from releases.engine.policies import Policy, Ruling
from releases.engine.steps import Work
from releases.policies import templates
from releases.policies.demands import policy_in
from releases.policies.descriptions import overruled_sentences, why_sentence
from releases.policies.models import PlanTemplate
from releases.web import check_form, live, plan_form, tagged_form
from releases.web.labels import IN_FREEZE, origin_words
from releases.web.plan_form import MOST_OFFERED

_PAGE = ("releases/new.html", "releases/_plan.html")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def new_release(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = plan_form.sent_form(request.POST) if request.POST else plan_form.new_form(request.GET)
    place = _environment(scope, form)
    do = request.POST.get("do", "")
    if do:
        form, refusal = _rearranged(scope, form, do)
        return show_form(request, _PAGE, _context(scope, place, form, refusal), refusal)

    def save() -> HttpResponse:
        starts = form.get("when") != "hold"
        if starts and _is_typed(scope, place):
            confirm_name(request, place.key)
        intent = replace(
            read_intent(request, scope),
            reason=plan_form.reason_of(form, _possible(scope, place, form)),
        )
        document = plan_form.document_of(form)
        made = planning.plan_release(
            project=scope.project, environment=place, document=document, intent=intent
        )
        if starts:
            return _started(request, made, intent, supersede=request.POST.get("supersede") == "1")
        return redirect_to(request, live.address_of(made), _("Planned. Nothing is moved yet."))

    return governed(request, _PAGE, partial(_context, scope, place, form), save)


def _started(request: HttpRequest, made: Release, intent: Any, *, supersede: bool) -> HttpResponse:
    """Its page, once it is started; what keeps it from that is said there, and it stays planned."""
    address = live.address_of(made)
    try:
        commands.start(release=made, intent=intent, supersede=supersede)
    except (Conflict, Invalid, Forbidden) as error:
        text = _("It is planned, but was not started: {why}").format(why=error)
        messages.warning(request, text)
        return redirect_to(request, address)
    return redirect_to(request, address, _("Started."))


@require_POST
@project_page(Permission.FLAG_VIEW)
def preview_release(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What would happen: nothing is stored, and half a form is no error."""
    form = plan_form.sent_form(request.POST)
    place = _environment(scope, form)
    context: dict[str, object] = {"scope": scope, "environment": place}
    try:
        document = plan_form.document_of(form)
        seen = preview(project=scope.project, environment=place, document=document)
        context |= _shown(scope, place, seen)
    except Invalid as error:
        context["missing"] = [_sentence(path, text) for path, text in error.problems.items()]
    return render(request, "releases/_preview.html", context)


def _sentence(path: str, text: str) -> str:
    """A problem with the field that it is about, where its sentence does not say so."""
    name = path.removeprefix("plan.").removeprefix("artefact.").split(".")[-1].replace("_", " ")
    return f"{name.capitalize()}: {text}" if name else text


def _shown(scope: Scope, place: Environment, seen: Preview) -> dict[str, object]:
    what = preflight(scope, [place], turns_off=False)
    last = seen.steps[-1].ends_s
    return {
        "preview": seen,
        "steps": [
            (
                step,
                quantities.duration(step.starts_s),
                quantities.duration(step.ends_s - step.starts_s)
                if step.ends_s > step.starts_s
                else "",
                quantities.about(step.users),
            )
            for step in seen.steps
        ],
        "strategy_sentences": [
            *descriptions.strategy_sentences(seen.draft.plan),
            *descriptions.pin_sentences(seen.draft.router),
        ],
        "retires": any(one.step.work is Work.RETIRE for one in seen.steps),
        "users_words": descriptions.users_words(seen.users),
        "lasts": quantities.duration(last),
        "watched": quantities.duration(seen.draft.plan.watch_s) if seen.draft.plan.watch_s else "",
        "checks": [
            (check.key, check_words.limit_words(check), origin_words(origin), policy_in(origin))
            for check, origin in seen.checks
        ],
        "policies": _policies(seen.draft.ruling),
        "freezes": _freezes(place, seen),
        "gates": sum(1 for one in seen.steps if one.step.gate),
        "preflight": what,
    }


def _policies(ruling: Ruling) -> list[tuple[Policy, str, list[str]]]:
    return [
        (
            one,
            why_sentence(one, ruling.moved),
            [*_requires(one, ruling), *overruled_sentences(one, ruling)],
        )
        for one in ruling.policies
    ]


def _requires(policy: Policy, ruling: Ruling) -> list[str]:
    if ruling.requiring is not policy:
        return []
    text = _("Its plan has to be one of the templates: {names}.")
    return [text.format(names=", ".join(policy.templates))]


def _freezes(place: Environment, seen: Preview) -> list[str]:
    begins = seen.draft.not_before or clock.now()
    found: dict[str, str] = {}
    for step in seen.steps:
        for frozen in freezes_in_force([place], begins + timedelta(seconds=step.starts_s)):
            found.setdefault(frozen_sentence(frozen), step.name)
    text = _("{sentence} That is so when it comes to {step}; the plan says: {what}.")
    what = IN_FREEZE[seen.draft.plan.in_freeze]
    return [text.format(sentence=one, step=step, what=what) for one, step in found.items()]


def _environment(scope: Scope, form: Mapping[str, Any]) -> Environment:
    """The environment of the form; the first one where it names none. Raises Http404."""
    if form.get("environment"):
        return scope.environment(form["environment"])
    if not scope.environments:
        raise Http404
    return scope.environments[0]


def _rearranged(scope: Scope, form: plan_form.Form, do: str) -> tuple[plan_form.Form, Refusal]:
    try:
        form = plan_form.rearranged(form, do)
        if do == "keep":
            form |= _kept(scope, form)
    except Invalid as error:
        return form, Refusal(error)
    if do == "template":
        found = PlanTemplate.objects.filter(project=scope.project, key=form.get("template")).first()
        if found is not None:
            form |= plan_form.templated(found)
    known = _known_artefact(scope, form)
    if do == "version" and known is not None:
        form |= {"digest": known.digest, "commit": known.commit}
    return form, Refusal()


def _kept(scope: Scope, form: plan_form.Form) -> plan_form.Form:
    """The form after its plan was kept as a template, which is chosen then. Raises Invalid."""
    place = _environment(scope, form)
    by_hand = ServiceSetup.objects.filter(
        service__project=scope.project,
        service__key=form.get("service"),
        environment=place,
        router__kind="manual",
    )
    proves = {"proof_of_return": place.is_production and not by_hand.exists()}
    kept = templates.put_template(
        project=scope.project,
        key=form.get("template_key", "").strip(),
        name=form.get("template_name", "").strip(),
        plan={**proves, **plan_form.plan_of(form), "strategy": form.get("strategy", "")},
        is_new=True,
        intent=Intent(scope.actor),
    )
    return plan_form.templated(kept) | {"template": kept.key, "kept": kept.name}


def _known_artefact(scope: Scope, form: plan_form.Form) -> Artefact | None:
    found = Artefact.objects.filter(
        service__project=scope.project, service__key=form.get("service")
    )
    return found.filter(version=form.get("version", "").strip()).first()


def _possible(scope: Scope, place: Environment, form: plan_form.Form) -> frozenset[str]:
    setups = ServiceSetup.objects.filter(service__project=scope.project, environment=place)
    return possible_strategies(setups.filter(service__key=form.get("service") or "").first())


def _preflight(scope: Scope, place: Environment) -> Preflight:
    return replace(preflight(scope, [place], turns_off=False), may_break_glass=False)


def _is_typed(scope: Scope, place: Environment) -> bool:
    return place.is_production and not _preflight(scope, place).needs_approval


def _context(
    scope: Scope, place: Environment, form: plan_form.Form, refusal: Refusal
) -> dict[str, object]:
    flag = (
        scope.project.flags.alive().filter(key=form["flag"]).first() if form.get("flag") else None
    )
    service = scope.project.services.filter(key=form.get("service") or "").first()
    errors = tagged_form.by_row(form, refusal.errors)
    advice = plan_form.advice_of(form, _possible(scope, place, form))
    return {
        "scope": scope,
        "form": form,
        "environment": place,
        "environments": scope.environments,
        "flag": flag,
        "services": scope.project.services.all()[:MOST_OFFERED],
        "artefacts": service.artefacts.all()[:MOST_OFFERED] if service else (),
        "segments": scope.project.segments.all()[:MOST_OFFERED],
        "templates": PlanTemplate.objects.filter(project=scope.project)[:MOST_OFFERED],
        "advice": plan_form.advice_words(advice) if advice else "",
        "differs": advice is not None and advice.strategy != form.get("strategy"),
        "form_url": reverse("release-new", args=[scope.project.key]),
        "steps": plan_form.step_inputs(form, errors),
        "checks": check_form.inputs_of(form["checks"], "checks", plan_form.of_plan(errors)),
        "errors": plan_form.by_field(errors),
        "plan_errors": plan_form.of_way(errors),
        "problems": plan_form.problems_of(form, errors),
        "typed_name": _is_typed(scope, place),
        "preflight": _preflight(scope, place),
        "why_not": _why_not(scope, place, flag, service),
        "why_not_start": _why_not_start(scope, place, flag),
        **plan_form.choices(form),
    }


def _why_not(scope: Scope, place: Environment, flag: Flag | None, service: Service | None) -> str:
    wanted = Permission.FLAG_EDIT if flag else Permission.RELEASE_CREATE
    return "" if scope.allows(wanted, place) else str(Forbidden(wanted))


def _why_not_start(scope: Scope, place: Environment, flag: Flag | None) -> str:
    wanted = Permission.FLAG_EDIT if flag else Permission.RELEASE_DEPLOY
    return "" if scope.allows(wanted, place) else str(Forbidden(wanted))
