from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.journal import Intent
from portal.lib.web.pages import render_page, replace_part
from portal.lib.web.spreadsheets import csv_response
from portal.reports import services
from portal.reports.models import Recertification, RecertificationItem
from portal.reports.selectors import REPORTS, Report, Wanted

DAYS = (30, 90, 180, 365)


@require_safe
@project_page(Permission.AUDIT_VIEW)
def list_reports(request: HttpRequest, scope: Scope) -> HttpResponse:
    last = scope.project.recertifications.first()
    context = {"scope": scope, "reports": REPORTS.items(), "last": last}
    return render(request, "reports/list.html", context)


@require_safe
@project_page(Permission.AUDIT_VIEW)
def show_report(request: HttpRequest, scope: Scope, report: str) -> HttpResponse:
    found, wanted = _report(report), _wanted(request, scope)
    context = {
        "scope": scope,
        "key": report,
        "report": found,
        "table": found.rows(scope.project, wanted),
        "environments": scope.environments,
        "wanted": wanted,
        "days": DAYS,
        "query": request.GET.urlencode(),
    }
    return render_page(request, "reports/report.html", "reports/_report.html", context)


@require_safe
@project_page(Permission.AUDIT_EXPORT)
def download_report(request: HttpRequest, scope: Scope, report: str) -> HttpResponse:
    table = _report(report).rows(scope.project, _wanted(request, scope))
    return csv_response(f"{scope.project.key}-{report}", table.columns, table.rows)


def _report(key: str) -> Report:
    if key not in REPORTS:
        raise Http404(key)
    return REPORTS[key]


def _wanted(request: HttpRequest, scope: Scope) -> Wanted:
    days = request.GET.get("days", "90")
    known = {str(one): one for one in DAYS}
    if days not in known:
        raise Http404(days)
    environment = scope.one_or_all(request.GET.get("environment", ""))
    return Wanted(clock.now(), environment, known[days])


def _context(scope: Scope) -> dict[str, Any]:
    """The open round, or else the last one."""
    current = scope.project.recertifications.first()
    items = list(_items(current)) if current else []
    left = [item for item in items if item.is_undecided]
    return {
        "scope": scope,
        "current": current,
        "lines": [
            (item, services.is_own(item, scope.actor))
            for item in sorted(items, key=lambda item: not item.is_undecided)
        ],
        "left": len(left),
        "waiting": sorted({item.holder for item in left}),
    }


def _items(current: Recertification) -> Any:
    return current.items.select_related("grant__group", "api_key")


@require_safe
@project_page(Permission.AUDIT_VIEW)
def show_recertification(request: HttpRequest, scope: Scope) -> HttpResponse:
    page, fragment = "reports/recertification.html", "reports/_recertification.html"
    return render_page(request, page, fragment, _context(scope))


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def start_recertification(request: HttpRequest, scope: Scope) -> HttpResponse:
    services.start_recertification(project=scope.project, intent=Intent(scope.actor))
    return _changed(request, scope, _("Started. Decide about each role and key."))


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def confirm_item(request: HttpRequest, scope: Scope, item_id: int) -> HttpResponse:
    item = _item(scope, item_id)
    services.confirm_item(item=item, intent=Intent(scope.actor))
    return _changed(request, scope, _("Confirmed: {name}.").format(name=_name(item)))


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def revoke_item(request: HttpRequest, scope: Scope, item_id: int) -> HttpResponse:
    item = _item(scope, item_id)
    services.revoke_item(item=item, intent=Intent(scope.actor))
    return _changed(request, scope, _("Taken away: {name}.").format(name=_name(item)))


@require_POST
@project_page(Permission.MEMBER_MANAGE)
def sign_off(request: HttpRequest, scope: Scope) -> HttpResponse:
    current = get_object_or_404(scope.project.recertifications, signed_off_at__isnull=True)
    services.sign_off(recertification=current, intent=Intent(scope.actor))
    return _changed(request, scope, _("Signed off."))


@require_safe
@project_page(Permission.AUDIT_EXPORT)
def download_recertification(request: HttpRequest, scope: Scope) -> HttpResponse:
    columns = [_("Who"), _("What"), _("Where"), _("Decision"), _("By"), _("At")]
    current = scope.project.recertifications.first()
    rows = [
        (one.holder, one.what, one.place, _decision(one), one.decided_by, one.decided_at)
        for one in (_items(current) if current else ())
    ]
    return csv_response(f"{scope.project.key}-recertification", columns, rows)


def _decision(item: RecertificationItem) -> str:
    gone = item.is_gone and not item.decision
    return _("gone meanwhile") if gone else str(item.get_decision_display())


def _item(scope: Scope, item_id: int) -> RecertificationItem:
    items = RecertificationItem.objects.select_related("recertification__project")
    return get_object_or_404(items, pk=item_id, recertification__project=scope.project)


def _name(item: RecertificationItem) -> str:
    return f"{item.holder}, {item.what} · {item.place}"


def _changed(request: HttpRequest, scope: Scope, notice: str) -> HttpResponse:
    return replace_part(request, "reports/recertification", _context(scope), notice)
