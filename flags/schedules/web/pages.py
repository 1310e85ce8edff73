from dataclasses import replace
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from flags.core.web.rows import Cell, FlagRow, find_flag
from flags.models import Flag
from flags.schedules import commands, create, descriptions
from flags.schedules.models import Plan, PlanKind
from flags.schedules.ramps import following, timetable_of
from flags.schedules.reading import read_ramp, read_schedule
from flags.schedules.web import forms
from flags.schedules.web.forms import UPCOMING, Form, Moment, rows_of, why_not_control
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors as approvals
from portal.approvals.freezes.web.calendar import reader_zone
from portal.approvals.freezes.web.form import DAYS, REPEATS
from portal.approvals.freezes.windows import zones
from portal.approvals.web.preflight import preflight
from portal.audit import history
from portal.audit.filters import Filters
from portal.audit.web.lines import lines, pulse
from portal.lib import clock
from portal.lib.errors import AviaryError, Forbidden, Invalid
from portal.lib.journal import Intent
from portal.lib.web.live import live_page
from portal.lib.web.pages import Refusal, confirm_name, governed, redirect_to

_READERS = {PlanKind.SCHEDULE: read_schedule, PlanKind.RAMP: read_ramp}
_MAKERS = {PlanKind.SCHEDULE: create.create_schedule, PlanKind.RAMP: create.create_ramp}
_CREATED = {
    PlanKind.SCHEDULE: gettext_lazy("Schedule created."),
    PlanKind.RAMP: gettext_lazy("Ramp created."),
}
_STEPS = {
    "pause": commands.pause_plan,
    "resume": commands.resume_plan,
    "cancel": commands.cancel_plan,
}
_SHOWN = 30


@require_safe
@project_page(Permission.FLAG_VIEW)
def timeline(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    flag, place = find_flag(scope, key), scope.environment(environment)
    filters = Filters(
        project=scope.project.key, kind="flag", subject=flag.key, environment=place.key
    )

    def context() -> dict[str, object]:
        happened = history.page(filters).events[:_SHOWN]
        return {
            **_context(scope, flag, place),
            "plans": rows_of(scope, flag, place),
            "lines": lines(happened) if Permission.AUDIT_VIEW in scope.permissions else [],
            "why_not_schedule": _why_not(scope, PlanKind.SCHEDULE),
            "why_not_ramp": _why_not(scope, PlanKind.RAMP),
            "live_url": _address("flag-timeline", scope, flag, place),
            "pending": approvals.open_requests(
                scope.project, subject_kind="flag", subject=flag.key, environment=place
            ),
        }

    return live_page(request, "flags/schedules/timeline", pulse(clock.now()), context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def create_plan(
    request: HttpRequest, scope: Scope, environment: str, kind: str, key: str
) -> HttpResponse:
    chosen, flag, place = _kind(scope, kind), find_flag(scope, key), scope.environment(environment)
    form = forms.sent_form(request.POST)
    if request.method != "POST":
        stored = flag.configuration_in(place)
        share = forms.first_share(stored) if chosen == PlanKind.RAMP else 0
        form = forms.new_form(chosen, reader_zone(request), stored.document, share)

    def save() -> HttpResponse:
        # Where nobody else looks at it, production is typed; turning off is free of that.
        if _is_typed(scope, place) and form.values["operation"] != "turn_off":
            confirm_name(request, place.key)
        _MAKERS[chosen](
            flag=flag,
            environment=place,
            document=forms.document_of(chosen, form, request.POST),
            intent=Intent(scope.actor, form.values["reason"]),
        )
        address = _address("flag-timeline", scope, flag, place)
        return redirect_to(request, address, str(_CREATED[chosen]))

    draw = partial(_form_context, scope, flag, place, chosen, form)
    return governed(request, f"flags/schedules/_{chosen}_dialog.html", draw, save)


@require_POST
@project_page(Permission.FLAG_VIEW)
def preview_plan(
    request: HttpRequest, scope: Scope, environment: str, kind: str, key: str
) -> HttpResponse:
    """When it would happen: nothing is saved, and half a form is no error."""
    chosen, flag, place = _kind(scope, kind), find_flag(scope, key), scope.environment(environment)
    form, now = forms.sent_form(request.POST), clock.now()
    context: dict[str, object] = {"words": [], "moments": []}
    try:
        wanted = _READERS[chosen](forms.document_of(chosen, form, request.POST), moment=now)
        plan = Plan(kind=chosen, flag=flag, environment=place, document=wanted)
        if plan.is_ramp:
            context |= {
                "words": [descriptions.ramp_start(plan)],
                "steps": descriptions.ramp_table(plan),
            }
        else:
            coming = following(timetable_of(wanted), now, UPCOMING)
            moments = [
                Moment(o.at, descriptions.moment_words(o.at, wanted["zone"])) for o in coming
            ]
            current = flag.configuration_in(place).document
            context |= {"words": [descriptions.what(plan, current)], "moments": moments}
    except Invalid as error:
        context["problem"] = next(iter(error.problems.values())) if form.values["starts"] else ""
    return render(request, "flags/schedules/_plan_preview.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def control_plan(
    request: HttpRequest, scope: Scope, environment: str, plan: int, step: str, key: str
) -> HttpResponse:
    flag, place = find_flag(scope, key), scope.environment(environment)
    found = flag.plans.filter(pk=plan, environment=place).first()
    if found is None or step not in _STEPS:
        raise Http404
    found.environment = place
    context = {
        **_context(scope, flag, place),
        "plan": found,
        "title": descriptions.title(found),
        "step": step,
        "why_not": why_not_control(scope, found, step),
        "preflight": _preflight(scope, place, turns_off=step != "resume" or found.turns_off),
    }

    def save() -> HttpResponse:
        _STEPS[step](plan=found, intent=Intent(scope.actor, request.POST.get("reason", "")))
        return redirect_to(request, _address("flag-timeline", scope, flag, place), _("Done."))

    return governed(request, "flags/schedules/_plan_steer_dialog.html", context, save)


def _context(scope: Scope, flag: Flag, place: Environment) -> dict[str, Any]:
    configuration = flag.configuration_in(place)
    return {
        "scope": scope,
        "flag": flag,
        "environment": place,
        "row": FlagRow(flag),
        "cell": Cell(flag, configuration),
        "tab": "timeline",
    }


def _kind(scope: Scope, name: str) -> PlanKind:
    """Raises Http404 for an unknown kind, PermissionDenied for a reader who may not make one."""
    if name not in PlanKind.values:
        raise Http404
    why = _why_not(scope, PlanKind(name))
    if why:
        raise PermissionDenied(why)
    return PlanKind(name)


def _why_not(scope: Scope, kind: PlanKind) -> str:
    """Which of its operations somebody may plan, the services decide."""
    wanted = {Permission.FLAG_EDIT}
    if kind == PlanKind.SCHEDULE:
        wanted.add(Permission.FLAG_TOGGLE)
    return "" if scope.permissions & wanted else str(Forbidden(min(wanted)))


def _is_typed(scope: Scope, place: Environment) -> bool:
    return place.is_production and not _preflight(scope, place).needs_approval


def _preflight(scope: Scope, place: Environment, *, turns_off: bool = False) -> Any:
    """A plan may be made in a freeze, and glass is not broken for it."""
    return replace(preflight(scope, [place], turns_off=turns_off), frozen=[], may_break_glass=False)


def _form_context(
    scope: Scope, flag: Flag, place: Environment, kind: PlanKind, form: Form, refusal: Refusal
) -> dict[str, object]:
    try:
        configuration = flag.configuration_in(place).configuration
        choices = {
            "rules": forms.rules_of(configuration),
            "targets": forms.targets_of(configuration),
        }
    except (AviaryError, ValueError):  # what is stored is of another time
        choices = {"rules": [], "targets": []}
    conflict = [str(refusal.conflict)] if refusal.conflict else []
    return {
        **_context(scope, flag, place),
        **choices,
        "kind": str(kind),
        "values": form.values,
        "steps": form.rows,
        "operations": forms.operations(),
        "whole": [*refusal.errors.values(), *conflict],
        "problems": [],
        "repeats": REPEATS.items(),
        "weekdays": DAYS,
        "zones": sorted(zones()),
        "typed": _is_typed(scope, place),
        "preflight": _preflight(scope, place),
    }


def _address(name: str, scope: Scope, flag: Flag, place: Environment) -> str:
    return reverse(name, args=[scope.project.key, place.key, flag.key])
