"""The pages of change requests."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors
from portal.lib import clock
from portal.lib.htmx import render_page


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_requests(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = {
        "scope": scope,
        "waiting": selectors.waiting_for(scope.user, scope.project),
        "requests": selectors.requests_of(scope.project)[:50],
    }
    return render_page(request, "approvals/requests.html", "approvals/_requests.html", context)


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_request(request: HttpRequest, scope: Scope, number: int) -> HttpResponse:
    asked = get_object_or_404(selectors.requests_of(scope.project), pk=number)
    assessments = selectors.assess_request(asked, now=clock.now())
    context = {"scope": scope, "asked": asked, "assessments": assessments}
    return render_page(request, "approvals/request.html", "approvals/_request.html", context)
