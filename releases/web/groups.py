"""The page of a release group: one row for each member, and commands for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from portal.access.models import Environment
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.models import ChangeRequest, State as RequestState
from portal.approvals.web.preflight import Preflight, read_intent
from portal.audit import history
from portal.audit.filters import Filters
from portal.audit.web.lines import lines
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.numbers import read_whole
from portal.lib.web.live import draw, live_page
from portal.lib.web.pages import (
    Refusal,
    aimed,
    confirm_name,
    governed,
    read_json,
    redirect_to,
)
from releases.core import selectors as releases
from releases.core.models import MOVING, Release, ReleaseGroup, State
from releases.groups import commands, planning, selectors
from releases.web.command_dialogs import preflight_of_places
from releases.web.labels import COLOURS
from releases.web.listing import beat_of_list
from releases.web.release_view import ReleaseView

PAGE: Final = "releases/group"
_NEW: Final = ("releases/group_new.html", "releases/_group_new.html")
_HAPPENED: Final = 30
MOST_OFFERED: Final = 100
_SAYS: Final = {
    "start": gettext_lazy("All members begin once each of them is agreed to."),
    "pause": gettext_lazy("All members rest at their steps; they are measured and judged on."),
    "resume": gettext_lazy("They continue where they stopped, with the time left of their steps."),
    "promote": gettext_lazy(
        "The members that wait at a gate pass it; they continue once all have come as far."
    ),
    "abort": gettext_lazy("All members end for good, and go back from the last to the first."),
    "rollback": gettext_lazy(
        "All members go back, from the last to the first. No approval, gate or freeze stops it."
    ),
}
_CSS: Final = {
    "start": "btn-success",
    "resume": "btn-primary",
    "promote": "btn-primary",
    "rollback": "btn-danger",
}
_RAISES: Final = ("start", "promote")


@dataclass(frozen=True, slots=True)
class GroupButton:
    command: commands.GroupCommand
    css: str
    why_not: str


def find_group(scope: Scope, number: int) -> ReleaseGroup:
    found = selectors.groups_seen(scope.project).filter(pk=number).first()
    if found is None:
        raise Http404(number)
    return found


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_group(request: HttpRequest, scope: Scope, release_group: int) -> HttpResponse:
    found, now = find_group(scope, release_group), clock.now()
    beat = _beat_of(found, now)
    return live_page(request, PAGE, beat, lambda: _context(scope, found, now))


def _members(group: ReleaseGroup) -> list[Release]:
    return list(group.members.all())


def _beat_of(group: ReleaseGroup, now: datetime) -> str:
    members = _members(group)
    asked = ",".join(str(one.pk) for one in _pending(group, members))
    return f"{beat_of_list(members, now)}-{asked}-{bool(group.failed_at)}"


def _pending(group: ReleaseGroup, members: Sequence[Release]) -> list[ChangeRequest]:
    numbers = [str(one.pk) for one in members]
    asked = group.project.change_requests.filter(
        subject_kind="release", subject__in=numbers, state=RequestState.OPEN
    )
    return list(asked.order_by("pk"))


def _context(scope: Scope, group: ReleaseGroup, now: datetime) -> dict[str, object]:
    members = _members(group)
    state = selectors.state_of(group, members)
    about = Filters(project=scope.project.key, kind="release_group", subject=str(group.pk))
    may_read = Permission.AUDIT_VIEW in scope.permissions
    happened = history.page(about, size=_HAPPENED).events if may_read else []
    return {
        "scope": scope,
        "group": group,
        "state": State(state).label,
        "colour": COLOURS.get(state, ""),
        "because": _because(group, members),
        "views": [ReleaseView.of(one, now) for one in members],
        "stay": selectors.left_of(group, members),
        "buttons": _buttons(scope, group, members, now),
        "pending": _pending(group, members),
        "lines": lines(happened),
        "live_url": address_of(group),
        "live_every": "1s" if any(one.state in MOVING for one in members) else "2s",
    }


def _because(group: ReleaseGroup, members: Sequence[Release]) -> str:
    if group.failed_at is None:
        return ""
    failed = next((one for one in members if one.pk == group.failed_id), None)
    if failed is None:
        by, reason = group.because.get("by", ""), group.because.get("reason", "")
        said = _("Taken back by {by}").format(by=by)
        return f"{said}: {reason}" if reason else f"{said}."
    return _("{title} failed, so the others go back.").format(title=failed.title)


def address_of(group: ReleaseGroup) -> str:
    return reverse("release-group", args=[group.project.key, group.pk])


def _buttons(
    scope: Scope, group: ReleaseGroup, members: Sequence[Release], now: datetime
) -> list[GroupButton]:
    found = [_button(scope, group, members, name, now) for name in commands.GROUP_COMMANDS]
    return sorted(found, key=lambda one: (bool(one.why_not), one.command.name != "rollback"))


def _button(
    scope: Scope, group: ReleaseGroup, members: Sequence[Release], name: str, now: datetime
) -> GroupButton:
    why = commands.why_not(group, members, name, scope.assignments.in_environment, now)
    return GroupButton(commands.GROUP_COMMANDS[name], _CSS.get(name, ""), why)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def press(request: HttpRequest, scope: Scope, release_group: int, command: str) -> HttpResponse:
    if command not in commands.GROUP_COMMANDS:
        raise Http404(command)
    found = find_group(scope, release_group)
    context = _dialog(scope, found, command)

    def save() -> HttpResponse:
        if context["typed_name"]:
            confirm_name(request, context["typed_name"])
        more = {"supersede": request.POST.get("supersede") == "1"} if command == "start" else {}
        intent = read_intent(request, scope)
        waiting = commands.tell(group=found, name=command, intent=intent, **more)
        return _shown_again(request, scope, found.pk, len(waiting))

    return governed(request, "releases/_group_dialog.html", context, save)


def _dialog(scope: Scope, group: ReleaseGroup, name: str) -> dict[str, Any]:
    now, members = clock.now(), _members(group)
    told = commands.told_by(group, members, name, now)
    button = _button(scope, group, members, name, now)
    places = list({one.environment_id: one.environment for one in told}.values())
    raises = name in _RAISES
    return {
        "scope": scope,
        "group": group,
        "button": button,
        "says": _SAYS[name],
        "told": told,
        "title": f"{button.command.label}: {group.name}",
        "preflight": preflight_of_places(scope, places, raises=raises),
        "typed_name": _typed(scope, places) if raises else "",
        "active": _in_the_way(told) if name == "start" else [],
    }


def _typed(scope: Scope, places: Sequence[Environment]) -> str:
    """The key of a production where nobody else looks at it, which is typed."""
    for place in places:
        what: Preflight = preflight_of_places(scope, [place], raises=True)
        if place.is_production and not what.needs_approval:
            return place.key
    return ""


def _in_the_way(members: Sequence[Release]) -> list[Release]:
    found = [releases.active_of(one.about, one.environment) for one in members]
    return [one for one in found if one is not None]


def _shown_again(request: HttpRequest, scope: Scope, number: int, waiting: int) -> HttpResponse:
    now, found = clock.now(), find_group(scope, number)
    notice = _("Done.")
    if waiting:
        text = ngettext(
            "{n} member needs approval first.", "{n} members need approval first.", waiting
        )
        notice = text.format(n=waiting)
    context = _context(scope, found, now) | {"notice": notice}
    drawn = draw(request, PAGE, context, _beat_of(found, now))
    return aimed(render(request, "releases/_release_changed.html", drawn), "group")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def new_group(request: HttpRequest, scope: Scope) -> HttpResponse:
    def save() -> HttpResponse:
        made = planning.plan_group(
            project=scope.project,
            document=_document(request),
            intent=read_intent(request, scope),
        )
        return redirect_to(request, address_of(made), _("Planned. Nothing is moved yet."))

    return governed(request, _NEW, lambda refusal: _form(request, scope, refusal), save)


def _document(request: HttpRequest) -> dict[str, Any]:
    """The document of the form, or its releases that have a position. Raises Invalid."""
    name, text = request.POST.get("name", ""), request.POST.get("document", "").strip()
    if text:
        members = read_json(text, "document")
        return {"name": name, "members": members}
    chosen = {}
    for field in request.POST:
        value = request.POST.get(field, "")
        number = read_whole(field.removeprefix("position-"))
        if not field.startswith("position-") or number is None or not value.strip():
            continue
        position = read_whole(value.strip(), most=1000)
        if position is None:
            raise Invalid({field: _("Give a number.")})
        chosen[number] = position
    ordered = sorted(chosen, key=lambda number: (chosen[number], number))
    return {"name": name, "members": [{"release": number} for number in ordered]}


def _form(request: HttpRequest, scope: Scope, refusal: Refusal) -> dict[str, object]:
    rows = releases.releases_seen(scope.project).filter(state=State.PLANNED, group=None)
    offered = [
        (one, request.POST.get(f"position-{one.pk}", ""), refusal.errors.get(f"position-{one.pk}"))
        for one in rows.filter(due_at=None).order_by("-pk")[:MOST_OFFERED]
        if not planning.why_not_join(one)
    ]
    said = [
        f"{path}: {text}" if path.startswith("members[") else text
        for path, text in refusal.errors.items()
        if path not in request.POST
    ]
    return {
        "scope": scope,
        "offered": offered,
        "form": request.POST,
        "problems": said,
        "fewest": planning.FEWEST,
        "most": planning.MOST,
    }
