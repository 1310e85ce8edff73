"""The pages of reports, and the same rows as files."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib import clock
from portal.lib.web.pages import render_page
from portal.lib.web.spreadsheets import csv_response
from portal.reports.selectors import REPORTS, Report
from portal.reports.tables import Wanted

DAYS = (30, 90, 180, 365)


@require_safe
@project_page(Permission.AUDIT_VIEW)
def list_reports(request: HttpRequest, scope: Scope) -> HttpResponse:
    """What reports there are."""
    last = scope.project.recertifications.first()
    context = {"scope": scope, "reports": REPORTS.items(), "last": last}
    return render(request, "reports/list.html", context)


@require_safe
@project_page(Permission.AUDIT_VIEW)
def show_report(request: HttpRequest, scope: Scope, report: str) -> HttpResponse:
    """One report; the link to its file carries the same filters."""
    found, wanted = _report(report), _wanted(request, scope)
    context = {
        "scope": scope,
        "key": report,
        "report": found,
        "table": found.rows(scope.project, wanted),
        "environments": scope.project.environments.all(),
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
