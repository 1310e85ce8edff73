"""The page of an environment's approval policy."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import selectors
from portal.lib.htmx import render_page


@require_safe
@project_page(Permission.FLAG_VIEW)
def show_policy(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    place = scope.environment(environment)
    policy = selectors.policies_of([place]).get(place.pk)
    context = {"scope": scope, "place": place, "policy": policy}
    return render_page(request, "approvals/policy.html", "approvals/_policy.html", context)
