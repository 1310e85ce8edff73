import json
from dataclasses import replace

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from flags.core import change_descriptions, configurations
from flags.core.changes import CONFIGURATION
from flags.core.parsing import configuration_from
from flags.core.web.rows import Cell, find_flag, said_of_saving
from flags.engine import Configuration, dump_configuration
from flags.models import FlagConfiguration
from flags.references.referring import check_configuration
from flags.targeting import documents, editing
from flags.targeting.context import form_context, page_context
from flags.targeting.form import FIELDS, Form, sent_base, write_base
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.web.preflight import (
    Preflight,
    Revising,
    editable_request,
    fresh_for_break_glass,
    preflight,
    read_intent,
)
from portal.audit.diffing import differences
from portal.lib.errors import Conflict, Invalid
from portal.lib.merging import side_of
from portal.lib.web.pages import (
    Refusal,
    confirm_name,
    governed,
    read_form,
    redirect_to,
    render_page,
    sent_document,
    sent_version,
    show_form,
)

_REVIEW = "flags/targeting/_review_dialog.html"


@require_safe
@project_page(Permission.FLAG_VIEW)
def first_environment(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    """A flag's address without an environment: the one where most is at stake."""
    flag = find_flag(scope, key)
    configuration = flag.configurations.last()
    if configuration is None:
        raise Http404(key)
    return redirect("flag-targeting", scope.project.key, configuration.environment.key, flag.key)


@require_safe
@project_page(Permission.FLAG_VIEW)
def targeting(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    """The page; with ``seen`` a note when someone changed it since that version, else 204."""
    flag = find_flag(scope, key)
    configuration = flag.configuration_in(scope.environment(environment))
    seen = request.GET.get("seen")
    if seen == str(configuration.version):
        return HttpResponse(status=204)
    asked = editable_request(
        scope, request.GET.get("request", ""), kind=CONFIGURATION, subject=flag.key
    )
    context = page_context(scope, configuration, asked, side_of(request.GET.get("prefer", "")))
    if seen is not None:
        return render(request, "flags/targeting/_changed_meanwhile.html", context)
    return render_page(
        request, "flags/targeting/targeting.html", "flags/targeting/_targeting.html", context
    )


@require_POST
@project_page(Permission.FLAG_EDIT)
def edit_form(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    configuration = _configuration(scope, environment, key)
    command = request.POST.get("do", "")
    if command == "ask-reshuffle":
        context = {"scope": scope, "cell": Cell(configuration.flag, configuration)}
        return show_form(request, "flags/targeting/_reshuffle_dialog.html", context)
    form = read_form(request.POST.items(), FIELDS)
    if command.startswith("merge:"):
        return _merged(request, scope, configuration, form, command.partition(":")[2])
    focus = editing.apply(form, command, configuration.flag.definition)
    context = form_context(request, scope, configuration, form, focus=focus)
    context |= {
        "seen_version": sent_version(request),
        "said": editing.announcement(command, focus),
        "close_dialog": command == "reshuffle",
    }
    return render(request, "flags/targeting/_edited.html", context)


def _state(request: HttpRequest, saved: FlagConfiguration) -> dict[str, bool]:
    """What the form leaves as it is. Where nobody is served yet, a request is one to introduce."""
    introduced = saved.introduced or Revising.sent(request) is not None
    return {"enabled": saved.enabled, "introduced": introduced}


def _merged(
    request: HttpRequest, scope: Scope, saved: FlagConfiguration, form: Form, prefer: str
) -> HttpResponse:
    """The form with both edits in it, filled from the newest version; nothing is saved."""
    try:
        document = documents.to_document(form, **_state(request, saved))
        configuration_from(document, saved.flag.definition)
    except Invalid as error:
        return _problems(request, scope, saved, form, error)
    revising = Revising.sent(request) is not None
    merged = editing.merge_onto(
        sent_base(request), saved, document, side_of(prefer), with_switch=revising
    )
    whole = merged.document if merged else document
    filled = documents.to_form(whole, saved.flag.definition, with_switch=revising)
    context = form_context(request, scope, saved, filled)
    context |= {
        "base": write_base(saved.document),
        "seen_version": saved.version,
        "said": _("Both edits are in the form now. Nothing is saved yet."),
        "close_dialog": True,
        "live": True,
        "was_merged": True,
    }
    return render(request, "flags/targeting/_edited.html", context)


@require_POST
@project_page(Permission.FLAG_EDIT)
def review(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    configuration = _configuration(scope, environment, key)
    form = read_form(request.POST.items(), FIELDS)
    try:
        document = documents.to_document(form, **_state(request, configuration))
        wanted = configuration_from(document, configuration.flag.definition)
        # Asked again under locks when it is saved; here so that the input at fault can be shown.
        check_configuration(configuration.flag, configuration.environment, wanted)
    except Invalid as error:
        return _problems(request, scope, configuration, form, error)
    return show_form(request, _REVIEW, _review(request, scope, configuration, wanted, document))


@require_POST
@project_page(Permission.FLAG_EDIT)
@fresh_for_break_glass
def save(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    configuration = _configuration(scope, environment, key)
    document = sent_document(request)
    wanted = configuration_from(document, configuration.flag.definition)

    def write() -> HttpResponse:
        if _needs_name(configuration, wanted, _preflight(scope, configuration, wanted)):
            confirm_name(request, configuration.environment.key)
        try:
            configurations.save_configuration(
                flag=configuration.flag,
                environment=configuration.environment,
                document=document,
                expected_version=sent_version(request),
                intent=read_intent(request, scope),
            )
        except Conflict as conflict:
            theirs = _configuration(scope, environment, key)
            return _conflict(request, scope, theirs, wanted, Refusal(conflict))
        message = _("Saved in {environment}.").format(environment=configuration.environment.name)
        message = said_of_saving([configuration.environment], message)
        return redirect_to(request, _address(scope, configuration), message)

    context = _review(request, scope, configuration, wanted, document)
    return governed(request, _REVIEW, context, write)


def _configuration(scope: Scope, environment: str, key: str) -> FlagConfiguration:
    return find_flag(scope, key).configuration_in(scope.environment(environment))


def _problems(
    request: HttpRequest,
    scope: Scope,
    configuration: FlagConfiguration,
    form: Form,
    error: Invalid,
) -> HttpResponse:
    problems = {documents.form_path(path): text for path, text in error.problems.items()}
    context = form_context(request, scope, configuration, form, errors=problems)
    context |= {"seen_version": sent_version(request), "close_dialog": True}
    return render(request, "flags/targeting/_edited.html", context, status=422)


def _review(
    request: HttpRequest,
    scope: Scope,
    configuration: FlagConfiguration,
    wanted: Configuration,
    document: object,
) -> dict[str, object]:
    view, version = _preflight(scope, configuration, wanted), sent_version(request)
    return {
        "scope": scope,
        "cell": Cell(configuration.flag, configuration),
        "changes": change_descriptions.configuration_changes(configuration.configuration, wanted),
        "document": json.dumps(document),
        "base": request.POST.get("base", ""),
        "differences": differences(configuration.document, dump_configuration(wanted)),
        "version": version,
        "needs_name": _needs_name(configuration, wanted, view),
        "preflight": view,
        "revise": Revising.sent(request),
        "stale": version != configuration.version,
    }


def _conflict(
    request: HttpRequest,
    scope: Scope,
    theirs: FlagConfiguration,
    yours: Configuration,
    refusal: Refusal,
) -> HttpResponse:
    """Both sides of a stale edit; what was typed is still in the form behind the dialog."""
    revising = Revising.sent(request) is not None
    sides = editing.both_sides(
        sent_base(request), theirs, yours, sent_document(request), with_switch=revising
    )
    context = {"scope": scope, "cell": Cell(theirs.flag, theirs), "sides": sides, "conflict": None}
    return show_form(request, "flags/targeting/_conflict_dialog.html", context, refusal)


def _preflight(scope: Scope, configuration: FlagConfiguration, wanted: Configuration) -> Preflight:
    """What would become of the save: where it does nothing but turn off, or nobody notices it,
    nobody needs to agree."""
    if not wanted.introduced:
        return preflight(scope, [], turns_off=False)
    turns_off = replace(configuration.configuration, enabled=False) == wanted
    turns_off &= configuration.enabled
    return preflight(scope, [configuration.environment], turns_off=turns_off)


def _needs_name(configuration: FlagConfiguration, wanted: Configuration, view: Preflight) -> bool:
    """Whether the click can reach production's users: then the environment's name is typed."""
    is_live = configuration.environment.is_production and wanted.enabled
    return is_live and not view.needs_approval


def _address(scope: Scope, configuration: FlagConfiguration) -> str:
    return reverse(
        "flag-targeting",
        kwargs={
            "project": scope.project.key,
            "environment": configuration.environment.key,
            "key": configuration.flag.key,
        },
    )
