from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access import selectors, services
from portal.access.models import EnvironmentKind
from portal.access.permissions import Permission
from portal.access.signin.sessions import actor_of
from portal.access.web.scope import Scope, project_page, refuse_nul
from portal.lib import subjects
from portal.lib.journal import Intent
from portal.lib.web.pages import governed, render_page, replace_part


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
    refuse_nul(request)
    values = {field: request.POST.get(field, "") for field in ("key", "name")}

    def save() -> HttpResponse:
        project = services.create_project(**values, intent=Intent(actor_of(request)))
        response = HttpResponse(_("Created."), status=204)
        response["HX-Redirect"] = reverse(subjects.menu()[0].page, args=[project.key])
        return response

    return governed(request, "access/_project_dialog.html", {"values": values}, save)


def _context(scope: Scope) -> dict[str, object]:
    return {"scope": scope, "environments": scope.project.environments.all()}


@require_safe
@project_page(Permission.FLAG_VIEW)
def list_environments(request: HttpRequest, scope: Scope) -> HttpResponse:
    page, fragment = "access/environments.html", "access/_environments.html"
    return render_page(request, page, fragment, _context(scope))


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.ENVIRONMENT_CONFIGURE)
def add_environment(request: HttpRequest, scope: Scope) -> HttpResponse:
    context = {"scope": scope, "kinds": EnvironmentKind.choices, "values": request.POST}

    def save() -> HttpResponse:
        environment = services.create_environment(
            project=scope.project,
            key=request.POST.get("key", "").strip(),
            kind=request.POST.get("kind", ""),
            intent=Intent(scope.actor),
        )
        notice = _("{name} created. Every flag is off in it.").format(name=environment.name)
        return replace_part(request, "access/environments", _context(scope), notice)

    return governed(request, "access/_environment_dialog.html", context, save)
