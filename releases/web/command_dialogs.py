from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.web.preflight import Preflight, preflight, read_intent
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.numbers import read_whole
from portal.lib.web.live import draw
from portal.lib.web.pages import aimed, confirm_name, governed, redirect_to
from releases.core import commands, descriptions, quantities, selectors
from releases.core.models import Release
from releases.engine.steps import WHOLE
from releases.web import live
from releases.web.buttons import LOOKS, button_of
from releases.web.release_view import ReleaseView


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def press(request: HttpRequest, scope: Scope, release: int, command: str) -> HttpResponse:
    found = live.find_release(scope, release)
    if command not in LOOKS:
        raise Http404(command)
    context = _dialog(scope, found, command)

    def save() -> HttpResponse:
        if context["typed_name"]:
            confirm_name(request, found.environment.key)
        intent = read_intent(request, scope)
        told = commands.TELL[command](release=found, intent=intent, **_picked(request, command))
        if told.pk != found.pk:
            return redirect_to(request, live.address_of(told))
        return _shown_again(request, scope, found.pk)

    return governed(request, "releases/_command_dialog.html", context, save)


def _dialog(scope: Scope, release: Release, name: str) -> dict[str, Any]:
    now = clock.now()
    view, button = ReleaseView.of(release, now), button_of(scope, release, name, now)
    what = preflight_of(scope, release, raises=button.looks.raises)
    steps = [(row.index, row.title) for row in view.steps if row.index < release.step]
    return {
        "scope": scope,
        "release": release,
        "view": view,
        "button": button,
        "title": f"{button.command.label}: {release.title}",
        "preflight": what,
        "typed_name": button.looks.raises and is_typed(release, what),
        "failing": [row for row in view.checks if row.fails],
        "steps": steps[::-1],
        "active": selectors.active_of(release.about, release.environment),
        "from_to": _from_to(view, name),
    }


def preflight_of(scope: Scope, release: Release, *, raises: bool) -> Preflight:
    """What would become of a command. Glass is not broken for one: rolling back is free."""
    return preflight_of_places(scope, [release.environment], raises=raises)


def preflight_of_places(scope: Scope, places: Iterable[Environment], *, raises: bool) -> Preflight:
    return replace(preflight(scope, places, turns_off=not raises), may_break_glass=False)


def is_typed(release: Release, what: Preflight) -> bool:
    """Whether the environment's name is typed: in production, where nobody else looks at it."""
    return release.environment.is_production and not what.needs_approval


def _from_to(view: ReleaseView, name: str) -> str:
    release, last = view.release, len(view.plan.all_steps) - 1
    if release.started_at is None:
        now, following = 0, 0
    else:
        now = view.traffic.share or 0
        following = min(release.step + 1, last)
    steps = {"start": following, "promote": following, "promote_fully": last}
    to = {command: descriptions.step_name(release, step) for command, step in steps.items()}
    to |= dict.fromkeys(("rollback", "abort"), quantities.percent(0))
    text = _("{version}: from {now} to {then}.")
    if name == "undo":
        none, whole = quantities.percent(0), quantities.percent(WHOLE)
        return text.format(version=view.stable_name, now=none, then=whole)
    if name not in to:
        return ""
    return text.format(version=release.version, now=quantities.percent(now), then=to[name])


def _picked(request: HttpRequest, name: str) -> Mapping[str, Any]:
    """What was chosen in the dialog. Raises Invalid where that is missing."""
    picks = LOOKS[name].picks
    if picks == "supersede":
        return {"supersede": request.POST.get("supersede") == "1"}
    if picks in ("check", "cohort"):
        return {picks: request.POST.get(picks, "")}
    if picks == "step":
        step = read_whole(request.POST.get("step", ""))
        if step is None:
            raise Invalid({"step": _("Choose a step.")})
        return {"step": step}
    return {}


def _shown_again(request: HttpRequest, scope: Scope, number: int) -> HttpResponse:
    now = clock.now()
    found = live.find_release(scope, number)
    context = live.release_context(scope, found, now) | {"notice": _("Done.")}
    drawn = draw(request, live.PAGE, context, live.beat_of(found, now))
    return aimed(render(request, "releases/_release_changed.html", drawn), "release")
