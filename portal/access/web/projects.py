"""The way in: where someone lands, and their projects."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access import selectors, services
from portal.access.web.scope import actor_of, refuse_nul
from portal.lib.intent import Intent
from portal.lib.web.pages import governed


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Straight to the flags where there is but one project, else to the list."""
    projects = list(selectors.projects_of(request.user)[:2])
    if len(projects) == 1:
        return redirect("flag-list", project=projects[0].key)
    return redirect("project-list")


@require_safe
def list_projects(request: HttpRequest) -> HttpResponse:
    projects = selectors.projects_of(request.user)
    return render(request, "access/projects.html", {"projects": projects})


@require_http_methods(["GET", "HEAD", "POST"])
def create_project(request: HttpRequest) -> HttpResponse:
    refuse_nul(request)
    values = {field: request.POST.get(field, "") for field in ("key", "name")}

    def save() -> HttpResponse:
        project = services.create_project(**values, intent=Intent(actor_of(request)))
        response = HttpResponse(_("Created."), status=204)
        response["HX-Redirect"] = f"/p/{project.key}/flags/"
        return response

    return governed(request, "access/_project_dialog.html", {"values": values}, save)
