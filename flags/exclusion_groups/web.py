from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from flags.core.descriptions import length
from flags.core.parsing import group_from
from flags.engine import Group, free_room
from flags.exclusion_groups import changes as group_changes, services as group_services
from flags.models import ExclusionGroup, Flag
from flags.segments.web.pages import draw_history, header
from flags.segments.web.saving import (
    Review,
    delete_reviewed,
    intent_and_version,
    page_of,
    review_dialog,
    save_reviewed,
    users_of,
)
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.web.preflight import fresh_for_break_glass
from portal.lib.errors import Invalid
from portal.lib.journal import Intent
from portal.lib.numbers import read_percent
from portal.lib.web.pages import (
    governed,
    redirect_to,
    sent_version,
    show_form,
)

_FIELDS = ("key", "name", "description", "bucket_by")
_COLOURS = 5
_POINTS = 1000  # of a percent
_PAGE = ("flags/exclusion_groups/group.html", "flags/exclusion_groups/_group_page.html")


@dataclass(frozen=True, slots=True)
class TrafficShare:
    """One part of the line as it is drawn; ``flag`` is empty for free room and the holdout."""

    label: str
    percent: float
    length: str
    start: str
    end: str
    colour: int
    flag: str = ""
    is_holdout: bool = False


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_groups(request: HttpRequest, scope: Scope) -> HttpResponse:
    groups = ExclusionGroup.objects.filter(project=scope.project)
    rows = [{"group": one, "parts": shares_of(one.group)} for one in groups]
    return render(request, "flags/exclusion_groups/groups.html", {"scope": scope, "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def create_group(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = {name: request.POST.get(name, "").strip() for name in _FIELDS}

    def save() -> HttpResponse:
        document = {name: value for name, value in form.items() if value or name == "key"}
        group = group_services.create_group(
            project=scope.project, document=document, intent=Intent(scope.actor)
        )
        text = _("{group} created. Give flags their share of it.").format(group=group.title)
        return redirect_to(request, page_of(group), text)

    page = ("flags/exclusion_groups/group_create.html", "flags/exclusion_groups/_group_form.html")
    return governed(request, page, {"scope": scope, "form": form}, save)


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_group(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    return show_form(request, _PAGE, _context(request, scope, find_group(scope, key)))


@require_POST
@project_page(Permission.SEGMENT_EDIT)
def review_group(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    group = find_group(scope, key)

    def save() -> HttpResponse:
        after = _WANTED.get(request.POST.get("do", ""), _about)(request, group)
        group_services.check_edit(group.project, group.group, group_from(after))
        words = group_changes.group_words(group.document, after)
        return review_dialog(request, scope, group, Review(after, sent_version(request), words))

    return governed(request, _PAGE, _context(request, scope, group), save)


@require_safe
@project_page(Permission.AUDIT_VIEW)
def group_history(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    return draw_history(request, scope, find_group(scope, key))


def _slot(request: HttpRequest, group: ExclusionGroup) -> dict[str, Any]:
    width = _points(request.POST.get("percent", ""))
    return group_services.with_slot(group.group, request.POST.get("flag", ""), width)


def _holdout(request: HttpRequest, group: ExclusionGroup) -> dict[str, Any]:
    return group.document | {"holdout": _points(request.POST.get("percent", "")) / _POINTS}


def _reshuffle(_request: HttpRequest, group: ExclusionGroup) -> dict[str, Any]:
    return group_services.reshuffled(group)


def _about(request: HttpRequest, group: ExclusionGroup) -> dict[str, Any]:
    names = ("name", "description")
    return group.document | {name: request.POST.get(name, "").strip() for name in names}


_WANTED = {"slot": _slot, "holdout": _holdout, "reshuffle": _reshuffle, "about": _about}


def _points(text: str) -> int:
    value = read_percent(text)
    if value is None:
        raise Invalid({"percent": _("Give a percentage from 0 to 100, with at most 3 decimals.")})
    return int(value * _POINTS)


def _context(request: HttpRequest, scope: Scope, group: ExclusionGroup) -> dict[str, object]:
    flags = Flag.objects.alive().filter(project=scope.project).order_by("key")
    return {
        **header(scope, group, "group"),
        "parts": shares_of(group.group),
        "flags": flags.only("key", "name"),
        "uses": users_of(group),
        "chosen": request.POST.get("flag", ""),
        "percent": request.POST.get("percent", ""),
        "done": request.POST.get("do", ""),
    }


def shares_of(group: Group) -> list[TrafficShare]:
    ordered = sorted(group.slots, key=lambda one: one.start)
    colours = {slot.flag: index % _COLOURS + 1 for index, slot in enumerate(ordered)}
    spans = [(slot.start, slot.end, slot.flag) for slot in ordered]
    spans += [(start, end, "") for start, end in free_room(group)]
    parts = [
        _share(flag or _("free"), start, end, colours.get(flag, 0), flag)
        for start, end, flag in sorted(spans)
    ]
    end = 100 * _POINTS
    held = _share(_("holdout"), end - group.holdout, end, 0)
    return [*parts, replace(held, is_holdout=True)] if group.holdout else parts


def _share(label: str, start: int, end: int, colour: int, flag: str = "") -> TrafficShare:
    return TrafficShare(
        label=label,
        percent=(end - start) / _POINTS,
        length=length(end - start),
        start=length(start),
        end=length(end),
        colour=colour,
        flag=flag,
    )


def find_group(scope: Scope, key: str) -> ExclusionGroup:
    try:
        return scope.project.exclusion_groups.get(key=key)
    except ExclusionGroup.DoesNotExist:
        raise Http404(key) from None


@require_POST
@project_page(Permission.SEGMENT_EDIT)
@fresh_for_break_glass
def save_group(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    group = find_group(scope, key)

    def write(document: Mapping[str, Any]) -> object:
        return group_services.edit_group(
            group=group, document=document, **intent_and_version(request, scope)
        )

    def words(document: Mapping[str, Any]) -> list[str]:
        return group_changes.group_words(group.document, document)

    return save_reviewed(request, scope, group, write, words)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.SEGMENT_EDIT)
def delete_group(request: HttpRequest, scope: Scope, key: str) -> HttpResponse:
    group = find_group(scope, key)
    return delete_reviewed(request, scope, group, partial(group_services.delete_group, group=group))
