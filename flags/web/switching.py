"""Turning a flag on and off. Friction follows risk.

Where little is at stake one click does it and the answer offers Undo. In production, turning off
takes a second click, and turning on a dialog that says what will be served to whom, asks why, and
has the environment's name typed. A flag that is not introduced there yet always gets a dialog.
"""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from flags import selectors, services, wording
from flags.models import Flag, FlagConfiguration
from flags.services import Switched, changes, configurations
from flags.web import arriving
from flags.web.finding import find_flag
from flags.web.rows import Cell
from flags.web.targeting.context import page_context
from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.errors import Waiting
from portal.approvals.web.outlook import Outlook, fresh_for_glass, outlook, read_intent, sent
from portal.lib.errors import Conflict, Invalid
from portal.lib.web.forms import sent_version


@require_POST
@project_page(Permission.FLAG_TOGGLE)
@fresh_for_glass
def switch(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    place = scope.environment(environment)
    enabled = request.POST.get("enabled") == "1"
    introduce = request.POST.get("introduce") == "1"
    view = outlook(scope, [place], turns_off=not (enabled or introduce))
    careful = place.is_production or view.is_careful or introduce
    if careful and not _is_confirmed(request, place, enabled or introduce, view):
        return _dialog(request, scope, flag, place, enabled)
    try:
        switched = services.set_enabled(
            flag=flag,
            environment=place,
            enabled=enabled,
            intent=read_intent(request, scope),
            expected_version=sent_version(request) if "version" in request.POST else None,
            introduce=introduce,
        )
    except Conflict as conflict:
        return _dialog(request, scope, flag, place, enabled, notice=str(conflict))
    except Invalid as error:
        return _dialog(request, scope, flag, place, enabled, errors=error.problems)
    except Waiting as waiting:
        return sent(request, waiting)
    return _switched(request, scope, switched)


def _is_confirmed(
    request: HttpRequest, environment: Environment, starts: bool, view: Outlook
) -> bool:
    """Whether the dialog was answered in full; turning off needs no more than the second click.

    What others have to agree to is not typed: nothing happens by that click.
    """
    if request.POST.get("confirmed") != "1":
        return False
    if not starts or view.needs_approval:
        return True
    return request.POST.get("typed", "").strip() == environment.key


def _dialog(
    request: HttpRequest,
    scope: Scope,
    flag: Flag,
    environment: Environment,
    enabled: bool,
    *,
    notice: str = "",
    errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    configuration = selectors.get_configuration(flag, environment)
    parsed = configuration.configuration
    introduces = not configuration.introduced
    view = outlook(scope, [environment], turns_off=not (enabled or introduces))
    wrong_name = request.POST.get("confirmed") == "1" and not notice and not errors
    context = {
        "scope": scope,
        "cell": Cell(flag, configuration),
        "enabled": enabled and (configuration.introduced or request.POST.get("confirmed") == "1"),
        "introduces": introduces,
        "along": _along(configuration) if introduces else [],
        "is_typed": (enabled or introduces) and not view.needs_approval,
        "rules": [wording.rule(rule) for rule in parsed.rules],
        "targeted": sum(len(target.keys) for target in parsed.targets),
        "fallthrough": wording.serve(parsed.fallthrough),
        "off_variant": parsed.off_variant,
        "reason": request.POST.get("reason", ""),
        "page": request.POST.get("page", ""),
        "notice": notice,
        "wrong_name": wrong_name,
        "outlook": view,
        "errors": errors or {},
    }
    status = 409 if notice else 422 if wrong_name or errors else 200
    response = render(request, "flags/_switch_dialog.html", context, status=status)
    response["HX-Retarget"] = "#dialog"
    response["HX-Reswap"] = "innerHTML"
    return response


def _along(configuration: FlagConfiguration) -> list[str]:
    """What is introduced along with it, one sentence each."""
    document = configuration.document | {"introduced": True}
    return changes.brought_words(configurations.asked_along(configuration, document))


def _switched(request: HttpRequest, scope: Scope, switched: Switched) -> HttpResponse:
    configuration = switched.configuration
    mark = arriving.mark_switched(configuration.environment, configuration.flag)
    cell = Cell(configuration.flag, configuration, mark)
    state = _("on") if configuration.enabled else _("off")
    text = _("{flag} is {state} in {environment}.")
    if mark is not None:
        text = _("{flag}, {state} in {environment}.") + f" {mark.words}"
    notice = text.format(flag=cell.flag.title, state=state, environment=cell.environment.name)
    context = {
        "scope": scope,
        "cell": cell,
        "notice": notice,
        "undo": not cell.environment.is_production,
        "close_dialog": request.POST.get("confirmed") == "1",
    }
    if request.POST.get("page") == "flag":
        return _switched_on_its_page(request, scope, switched, context)
    response = render(request, "flags/_switched.html", context)
    response["HX-Retarget"] = f"#{cell.id}"
    response["HX-Reswap"] = "outerHTML"
    return response


def _switched_on_its_page(
    request: HttpRequest, scope: Scope, switched: Switched, context: dict[str, object]
) -> HttpResponse:
    """The flag's own page shows more of it; an open form goes on from the new version."""
    flag = find_flag(scope, switched.configuration.flag.key)
    configuration = selectors.get_configuration(flag, switched.configuration.environment)
    context |= page_context(scope, configuration)
    context["nothing_missed"] = switched.previous_version == sent_version(request)
    response = render(request, "flags/_switched_page.html", context)
    response["HX-Retarget"] = "#flag-side"
    response["HX-Reswap"] = "outerHTML"
    return response
