"""Turning a flag on and off. Friction follows risk.

Where little is at stake one click does it and the answer offers Undo. In production, turning off
takes a second click, and turning on a dialog that says what will be served to whom, asks why, and
has the environment's name typed. A flag that is not introduced there yet always gets a dialog.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from flags.core import changes, configurations, definitions, descriptions, selectors
from flags.core.configurations import Switched
from flags.core.web import rows
from flags.core.web.rows import Cell, FlagRow, Marks, find_flag
from flags.models import FlagConfiguration
from flags.references import effects
from flags.targeting.context import side_context
from flags.targeting.trying import gets_context
from flags.usage import reading
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.errors import Waiting
from portal.approvals.web.preflight import (
    fresh_for_break_glass,
    preflight,
    read_intent,
    sent,
)
from portal.lib import clock
from portal.lib.journal import Intent
from portal.lib.web.pages import (
    Refusal,
    aimed,
    confirm_name,
    governed,
    redirect_to,
    sent_version,
    show_form,
)

_DIALOG = "flags/targeting/_switch_dialog.html"


@require_POST
@project_page(Permission.FLAG_TOGGLE)
@fresh_for_break_glass
def switch(request: HttpRequest, scope: Scope, environment: str, key: str) -> HttpResponse:
    flag, place = find_flag(scope, key), scope.environment(environment)
    enabled = request.POST.get("enabled") == "1"
    introduce = request.POST.get("introduce") == "1"
    confirmed = request.POST.get("confirmed") == "1"
    view = preflight(scope, [place], turns_off=not (enabled or introduce))
    careful = place.is_production or view.is_careful or introduce

    def save() -> HttpResponse:
        # What others have to agree to is not typed: nothing happens by that click.
        if careful and (enabled or introduce) and not view.needs_approval:
            confirm_name(request, place.key)
        switched = configurations.set_enabled(
            flag=flag,
            environment=place,
            enabled=enabled,
            intent=read_intent(request, scope),
            expected_version=sent_version(request) if "version" in request.POST else None,
            introduce=introduce,
        )
        return _switched(request, scope, switched)

    def context(_refusal: Refusal) -> dict[str, object]:
        return _context(request, scope, selectors.get_configuration(flag, place), enabled)

    if careful and not confirmed:
        return show_form(request, _DIALOG, context(Refusal()))
    try:
        return governed(request, _DIALOG, context, save)
    except Waiting as waiting:
        return sent(request, waiting)


def _context(
    request: HttpRequest, scope: Scope, configuration: FlagConfiguration, enabled: bool
) -> dict[str, object]:
    parsed, introduces = configuration.configuration, not configuration.introduced
    view = preflight(scope, [configuration.environment], turns_off=not (enabled or introduces))
    return {
        "scope": scope,
        "cell": Cell(configuration.flag, configuration),
        "enabled": enabled and (configuration.introduced or request.POST.get("confirmed") == "1"),
        "introduces": introduces,
        "along": _along(configuration) if introduces else [],
        "is_typed": (enabled or introduces) and not view.needs_approval,
        "rules": [descriptions.rule(rule) for rule in parsed.rules],
        "targeted": sum(len(target.keys) for target in parsed.targets),
        "fallthrough": descriptions.serve(parsed.fallthrough),
        "off_variant": parsed.off_variant,
        "page": request.POST.get("page", ""),
        "preflight": view,
    }


def _along(configuration: FlagConfiguration) -> list[str]:
    document = configuration.document | {"introduced": True}
    return changes.brought_words(configurations.asked_along(configuration, document))


def _switched(request: HttpRequest, scope: Scope, switched: Switched) -> HttpResponse:
    configuration = switched.configuration
    marks, unused = rows.marks_of_switched(configuration.environment, configuration.flag)
    mark = marks.get((configuration.environment_id, configuration.flag.key))
    moved = selectors.moved_in(scope.project)
    mover = moved.get((configuration.environment_id, configuration.flag.key))
    cell = Cell(configuration.flag, configuration, mark, mover)
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
        return _switched_on_its_page(request, scope, switched, context, (marks, unused))
    return aimed(render(request, "flags/targeting/_switched.html", context), cell.id)


def _switched_on_its_page(
    request: HttpRequest,
    scope: Scope,
    switched: Switched,
    context: dict[str, object],
    marked: tuple[Marks, bool],
) -> HttpResponse:
    """The flag's own page shows more of it; an open form goes on from the new version."""
    flag = find_flag(scope, switched.configuration.flag.key)
    configuration = flag.configuration_in(switched.configuration.environment)
    context |= side_context(scope, configuration, marked)
    context |= gets_context(configuration.configuration, flag.definition)
    context["nothing_missed"] = switched.previous_version == sent_version(request)
    return aimed(render(request, "flags/targeting/_switched_page.html", context), "flag-side")


# Taking a flag out of use, and bringing it back.


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_ARCHIVE)
@fresh_for_break_glass
def archive(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    uses = reading.recent_use(flag, now=clock.now())

    def context(_refusal: Refusal) -> dict[str, object]:
        places = effects.of_archiving(flag, scope.environments)
        view = preflight(scope, places, turns_off=False)
        return {"scope": scope, "flag": flag, "row": FlagRow(flag), "preflight": view, "uses": uses}

    def save() -> HttpResponse:
        if uses:
            confirm_name(request, flag.key)
        definitions.archive_flag(flag=flag, intent=read_intent(request, scope))
        address = reverse("flag-list", kwargs={"project": scope.project.key})
        return redirect_to(request, address, _("{flag} is archived.").format(flag=flag.title))

    return governed(request, "flags/targeting/_archive_dialog.html", context, save)


@require_POST
@project_page(Permission.FLAG_ARCHIVE)
def restore(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    flag = find_flag(scope, key)
    definitions.restore_flag(flag=flag, intent=Intent(scope.actor))
    address = reverse("flag", kwargs={"project": scope.project.key, "key": key})
    return redirect_to(request, address, _("{flag} is restored.").format(flag=flag.title))
