"""The page of environments."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.access import services
from portal.access.models import EnvironmentKind
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.intent import Intent
from portal.lib.web.pages import governed, render_page, replace_part


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
    """Add an environment, in which every flag starts out off."""
    context = {"scope": scope, "kinds": EnvironmentKind.choices, "values": request.POST}

    def save() -> HttpResponse:
        environment = services.create_environment(
            project=scope.project,
            key=request.POST.get("key", "").strip(),
            kind=request.POST.get("kind", ""),
            intent=Intent(scope.actor),
        )
        notice = _("{name} is there; every flag is off in it.").format(name=environment.name)
        return replace_part(request, "access/environments", _context(scope), notice)

    return governed(request, "access/_environment_dialog.html", context, save)
