from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.freezes import services as freeze_services
from portal.approvals.freezes.descriptions import (
    freeze_changes,
    local_time,
    occurrence_words,
    recurrence_words,
)
from portal.approvals.freezes.models import FreezeWindow
from portal.approvals.freezes.selectors import freezes_in_force, freezes_of
from portal.approvals.freezes.services import read_window
from portal.approvals.freezes.web.calendar import calendar_of, month_of, reader_zone
from portal.approvals.freezes.web.form import DAYS, REPEATS, Values, sent_values, stored_values
from portal.approvals.freezes.windows import Occurrence, Window, clock_change, coming, zones
from portal.lib import clock
from portal.lib.errors import Forbidden, Invalid
from portal.lib.journal import Intent
from portal.lib.web.pages import Refusal, governed, render_page, replace_part, sent_version

PREVIEWED = 5
_DIALOG = "approvals/freezes/_freeze_dialog.html"


@dataclass(frozen=True, slots=True)
class Row:
    """A window in the list. ``next`` is the occurrence that is in force, or the next one."""

    freeze: FreezeWindow
    next: Occurrence | None
    is_in_force: bool
    may_edit: bool

    @property
    def when(self) -> str:
        window = self.freeze.window
        first = Occurrence(window.starts, window.ends, window.starts, window.ends)
        return occurrence_words(self.next or first)

    @property
    def repeats(self) -> str:
        return recurrence_words(self.freeze.rrule)


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_freezes(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = _context(request, scope, request.GET.get("month", ""))
    return render_page(
        request, "approvals/freezes/freezes.html", "approvals/freezes/_freezes.html", context
    )


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def create_freeze(request: HttpRequest, scope: Scope) -> HttpResponse:
    _require_some_environment(scope)
    values = Values(zone=reader_zone(request))
    if request.method == "POST":
        values = sent_values(request.POST)

    def save() -> HttpResponse:
        freeze = freeze_services.create_freeze(
            project=scope.project, document=values.document, intent=Intent(scope.actor)
        )
        return _changed(request, scope, _("Freeze “{name}” created.").format(name=freeze.name))

    return governed(request, _DIALOG, partial(_form, scope, values, None), save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def edit_freeze(request: HttpRequest, scope: Scope, freeze: int) -> HttpResponse:
    _require_some_environment(scope)
    found = _find(scope, freeze)
    values = sent_values(request.POST) if request.method == "POST" else stored_values(found)

    def save() -> HttpResponse:
        freeze_services.edit_freeze(
            freeze=found,
            document=values.document,
            expected_version=sent_version(request),
            intent=Intent(scope.actor),
        )
        return _changed(request, scope, _("“{name}” is saved.").format(name=values.name))

    return governed(request, _DIALOG, partial(_form, scope, values, freeze), save)


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def cancel_freeze(request: HttpRequest, scope: Scope, freeze: int) -> HttpResponse:
    _require_some_environment(scope)
    found = _find(scope, freeze)
    context = {"scope": scope, "row": _row(scope, found, clock.now())}

    def save() -> HttpResponse:
        reason = request.POST.get("reason", "")[:1000]
        freeze_services.cancel_freeze(freeze=found, intent=Intent(scope.actor, reason=reason))
        return _changed(request, scope, _("“{name}” is cancelled.").format(name=found.name))

    return governed(request, "approvals/freezes/_freeze_cancel_dialog.html", context, save)


@require_POST
@project_page(Permission.FLAG_VIEW)
def preview_freeze(request: HttpRequest, scope: Scope) -> HttpResponse:
    """When a window would be in force: nothing is saved, and half a form is no error."""
    _require_some_environment(scope)
    values, now = sent_values(request.POST), clock.now()
    context: dict[str, object] = {"zone": values.zone, "repeats": "", "times": []}
    try:
        window = read_window(scope.project, values.document, moment=now)
        context |= {
            "repeats": recurrence_words(window.rrule),
            "times": [occurrence_words(one) for one in coming(window, now, PREVIEWED)],
            "across": _across_clock_change(window, now),
        }
    except Invalid as error:
        context["problem"] = next(iter(error.problems.values())) if values.starts else ""
    return render(request, "approvals/freezes/_freeze_preview.html", context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def download_calendar(request: HttpRequest, scope: Scope) -> HttpResponse:
    text = calendar_of(scope.project, freezes_of(scope.project), clock.now())
    response = HttpResponse(text, content_type="text/calendar; charset=utf-8")
    name = f"{scope.project.key}-freezes.ics"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _context(request: HttpRequest, scope: Scope, month: str) -> dict[str, object]:
    now = clock.now()
    freezes = list(freezes_of(scope.project))
    environments = scope.environments
    return {
        "scope": scope,
        "month": month_of(freezes, month, reader_zone(request), now),
        "weekdays": DAYS,
        "frozen": freezes_in_force(environments, now),
        "rows": [_row(scope, freeze, now) for freeze in freezes],
        "may_create": _may_somewhere(scope),
        "portal_url": settings.PORTAL_URL,
    }


def _row(scope: Scope, freeze: FreezeWindow, now: datetime) -> Row:
    following = next(iter(coming(freeze.window, now, 1)), None)
    may = all(
        scope.allows(Permission.ENVIRONMENT_CONFIGURE, environment)
        for environment in freeze.environments.all()
    )
    return Row(freeze, following, bool(following and following.starts <= now), may)


def _across_clock_change(window: Window, now: datetime) -> dict[str, str]:
    change = clock_change(window.zone, now)
    after = coming(window, change, 1) if change and window.rrule else []
    if not change or not after:
        return {}
    day = local_time(change.astimezone(ZoneInfo(window.zone))).rpartition(",")[0]
    return {"day": day, "times": occurrence_words(after[0])}


def _find(scope: Scope, number: int) -> FreezeWindow:
    return get_object_or_404(freezes_of(scope.project), pk=number)


def _may_somewhere(scope: Scope) -> bool:
    """Who configures one environment can freeze that one; the services decide in the end."""
    environments = scope.environments
    return any(scope.allows(Permission.ENVIRONMENT_CONFIGURE, place) for place in environments)


def _require_some_environment(scope: Scope) -> None:
    if not _may_somewhere(scope):
        raise PermissionDenied(str(Forbidden(Permission.ENVIRONMENT_CONFIGURE)))


def _form(scope: Scope, values: Values, number: int | None, refusal: Refusal) -> dict[str, object]:
    """The form; of a conflict also what it would change in what is saved now."""
    environments = scope.environments
    conflict = refusal.conflict
    return {
        "scope": scope,
        "values": values,
        "freeze": None if number is None else _find(scope, number),
        "differences": freeze_changes(conflict.current, conflict.yours) if conflict else None,
        "conflict": None,
        "problems": [],
        "places": [
            (one, scope.allows(Permission.ENVIRONMENT_CONFIGURE, one)) for one in environments
        ],
        "repeats": REPEATS.items(),
        "weekdays": DAYS,
        "zones": sorted(zones()),
    }


def _changed(request: HttpRequest, scope: Scope, notice: str) -> HttpResponse:
    return replace_part(request, "approvals/freezes/freezes", _context(request, scope, ""), notice)
