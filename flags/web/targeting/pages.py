"""A flag's targeting in one environment: the page, its editor, the review and the save."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from flags import selectors, services, wording
from flags.engine import Configuration
from flags.models import FlagConfiguration
from flags.services.changes import CONFIGURATION
from flags.services.parsing import configuration_from
from flags.web.finding import find_flag
from flags.web.rows import Cell
from flags.web.targeting import editing, reading
from flags.web.targeting.context import page_context
from flags.web.targeting.nodes import Drawing
from flags.web.targeting.shape import FIELDS
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.errors import Waiting
from portal.approvals.web.outlook import (
    Outlook,
    Revising,
    editable_request,
    fresh_for_glass,
    outlook,
    read_terms,
)
from portal.lib import clock
from portal.lib.errors import Conflict, Invalid
from portal.lib.form_paths import read_form
from portal.lib.htmx import redirect_to, render_page


@require_safe
@project_page(Permission.FLAG_VIEW)
def first_environment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """A flag's address without an environment: the one where most is at stake."""
    flag = find_flag(scope, key)
    configuration = flag.configurations.last()
    if configuration is None:
        raise Http404(key)
    environment = configuration.environment.key
    return redirect("flag-targeting", scope.project.key, environment, flag.key)


@require_safe
@project_page(Permission.FLAG_VIEW)
def targeting(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """The page; with ``seen`` a note when someone changed it since that version, else 204."""
    flag = find_flag(scope, key)
    configuration = selectors.get_configuration(flag, scope.environment(environment))
    seen = request.GET.get("seen")
    if seen == str(configuration.version):
        return HttpResponse(status=204)
    asked = editable_request(
        scope, request.GET.get("request", ""), kind=CONFIGURATION, subject=flag.key
    )
    context = page_context(scope, configuration, asked)
    if seen is not None:
        return render(request, "flags/_changed_meanwhile.html", context)
    return render_page(request, "flags/targeting.html", "flags/_targeting.html", context)


@require_POST
@project_page(Permission.FLAG_EDIT)
def edit_form(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """Rearrange the form as its button says; nothing is saved."""
    configuration = _configuration(scope, environment, key)
    form = read_form(request.POST.items(), FIELDS)
    focus = editing.apply(form, request.POST.get("do", ""), configuration.flag.definition)
    return _form(request, scope, configuration, Drawing(form, {}, focus))


@require_POST
@project_page(Permission.FLAG_EDIT)
def review(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """Check the form; answers the dialog that shows what would change, or the form's problems."""
    configuration = _configuration(scope, environment, key)
    form = read_form(request.POST.items(), FIELDS)
    try:
        document = reading.to_document(form, enabled=configuration.enabled)
        wanted = configuration_from(document, configuration.flag.definition)
    except Invalid as error:
        problems = {reading.form_path(path): text for path, text in error.problems.items()}
        return _form(request, scope, configuration, Drawing(form, problems), status=422)
    return _dialog(request, scope, configuration, wanted, document, _seen_version(request))


@require_POST
@project_page(Permission.FLAG_EDIT)
@fresh_for_glass
def save(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """Save what was reviewed."""
    configuration = _configuration(scope, environment, key)
    document = _document(request)
    wanted = configuration_from(document, configuration.flag.definition)
    view = _outlook(scope, configuration, wanted)
    if _needs_name(configuration, wanted, view) and not _name_typed(
        request, configuration.environment
    ):
        version = _seen_version(request)
        return _dialog(request, scope, configuration, wanted, document, version, wrong_name=True)
    try:
        services.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=document,
            expected_version=_seen_version(request),
            actor=scope.actor,
            now=clock.now(),
            reason=request.POST.get("reason", ""),
            terms=read_terms(request),
        )
    except Conflict:
        return _conflict(request, scope, environment, key, wanted)
    except Invalid as error:
        version = _seen_version(request)
        return _dialog(
            request, scope, configuration, wanted, document, version, errors=error.problems
        )
    except Waiting as waiting:
        return redirect_to(request, waiting.path, _("Sent for approval. Nothing has changed yet."))
    message = _("Saved in {environment}.").format(environment=configuration.environment.name)
    return redirect_to(request, _address(scope, configuration), message)


def _configuration(scope: Scope, environment: str, key: str) -> FlagConfiguration:
    flag = find_flag(scope, key)
    return selectors.get_configuration(flag, scope.environment(environment))


def _form(
    request: HttpRequest,
    scope: Scope,
    configuration: FlagConfiguration,
    drawing: Drawing,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {
        "scope": scope,
        "flag": configuration.flag,
        "cell": Cell(configuration.flag, configuration),
        "drawing": drawing,
        "seen_version": _seen_version(request),
        "revise": Revising.sent(request),
        "edited": True,
    }
    return render(request, "flags/_targeting_form.html", context, status=status)


def _dialog(
    request: HttpRequest,
    scope: Scope,
    configuration: FlagConfiguration,
    wanted: Configuration,
    document: object,
    version: int,
    *,
    wrong_name: bool = False,
    errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    view = _outlook(scope, configuration, wanted)
    context = {
        "scope": scope,
        "cell": Cell(configuration.flag, configuration),
        "changes": wording.configuration_changes(configuration.configuration, wanted),
        "document": json.dumps(document),
        "version": version,
        "needs_name": _needs_name(configuration, wanted, view),
        "outlook": view,
        "revise": Revising.sent(request),
        "errors": errors or {},
        "reason": request.POST.get("reason", ""),
        "wrong_name": wrong_name,
        "stale": version != configuration.version,
    }
    status = 422 if wrong_name or errors else 200
    return _in_dialog(render(request, "flags/_review_dialog.html", context, status=status))


def _conflict(
    request: HttpRequest, scope: Scope, environment: str, key: str, yours: Configuration
) -> HttpResponse:
    """Both sides of a stale edit; what was typed is still in the form behind the dialog."""
    theirs = _configuration(scope, environment, key)
    context = {
        "scope": scope,
        "cell": Cell(theirs.flag, theirs),
        "changes": wording.configuration_changes(theirs.configuration, yours),
        "theirs": [wording.rule(rule) for rule in theirs.configuration.rules],
        "theirs_rest": wording.serve(theirs.configuration.fallthrough),
        "yours": [wording.rule(rule) for rule in yours.rules],
        "yours_rest": wording.serve(yours.fallthrough),
    }
    return _in_dialog(render(request, "flags/_conflict_dialog.html", context, status=409))


def _in_dialog(response: HttpResponse) -> HttpResponse:
    response["HX-Retarget"] = "#dialog"
    response["HX-Reswap"] = "innerHTML"
    return response


def _outlook(scope: Scope, configuration: FlagConfiguration, wanted: Configuration) -> Outlook:
    """What would become of the save: where it does nothing but turn off, nobody needs to agree."""
    turns_off = replace(configuration.configuration, enabled=False) == wanted
    turns_off &= configuration.enabled
    return outlook(scope, [configuration.environment], turns_off=turns_off)


def _needs_name(configuration: FlagConfiguration, wanted: Configuration, view: Outlook) -> bool:
    """Whether the click can reach production's users: then the environment's name is typed."""
    is_live = configuration.environment.is_production and wanted.enabled
    return is_live and not view.needs_approval


def _name_typed(request: HttpRequest, environment: Environment) -> bool:
    return request.POST.get("typed", "").strip() == environment.key


def _seen_version(request: HttpRequest) -> int:
    """The version the form was filled from. A form without one is of no version and conflicts."""
    text = request.POST.get("version", "")
    return int(text[:18]) if text.isascii() and text.isdigit() else -1


def _document(request: HttpRequest) -> Any:
    try:
        return json.loads(request.POST.get("document", ""))
    except (ValueError, RecursionError):
        raise Invalid(
            {"": _("This form is damaged. Reload the page; nothing was saved.")}
        ) from None


def _address(scope: Scope, configuration: FlagConfiguration) -> str:
    return reverse(
        "flag-targeting",
        kwargs={
            "project": scope.project.key,
            "environment": configuration.environment.key,
            "key": configuration.flag.key,
        },
    )
