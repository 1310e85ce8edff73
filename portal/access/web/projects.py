"""The way in: where someone lands, and their projects."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access import selectors, services
from portal.access.web.scope import actor_of, refuse_nul
from portal.lib import subjects
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Straight to the first page of the project where there is but one, else to the list."""
    projects = list(selectors.projects_of(request.user)[:2])
    if len(projects) == 1:
        return redirect(subjects.menu()[0].page, project=projects[0].key)
    return redirect("project-list")


@require_safe
def list_projects(request: HttpRequest) -> HttpResponse:
    projects = selectors.projects_of(request.user)
    return render(request, "access/projects.html", {"projects": projects})


@require_http_methods(["GET", "HEAD", "POST"])
def create_project(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "access/_project_dialog.html", {"values": {}})
    refuse_nul(request)
    values = {field: request.POST.get(field, "") for field in ("key", "name")}
    try:
        project = services.create_project(**values, intent=Intent(actor_of(request)))
    except Invalid as error:
        context = {"values": values, "errors": error.problems}
        return render(request, "access/_project_dialog.html", context, status=422)
    response = HttpResponse(_("Created."), status=204)
    response["HX-Redirect"] = reverse(subjects.menu()[0].page, args=[project.key])
    return response
