"""Stopping the line of an environment, and lifting that: each with a dialog that asks why."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals import services
from portal.approvals.freezes import line_stopped_in
from portal.lib.errors import Forbidden
from portal.lib.journal import Intent
from portal.lib.web.pages import governed, redirect_to
from releases.web.listing import board_address


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def change_line(request: HttpRequest, scope: Scope, environment: str) -> HttpResponse:
    """The dialog: stop what moves there, or let it move again where it is stopped."""
    place = scope.environment(environment)
    line = line_stopped_in(place)
    may = scope.allows(Permission.INCIDENT_MANAGE, place)
    context = {
        "scope": scope,
        "environment": place,
        "line": line,
        "why_not": "" if may else str(Forbidden(Permission.INCIDENT_MANAGE)),
    }

    def save() -> HttpResponse:
        lifts = request.POST.get("lift") == "1"
        change = services.lift_line if lifts else services.stop_line
        change(
            environment=place, intent=Intent(scope.actor, request.POST.get("reason", "").strip())
        )
        said = (
            _("Stopped line lifted in {place}.") if lifts else _("The line is stopped in {place}.")
        )
        return redirect_to(request, board_address(scope), said.format(place=place.name))

    return governed(request, "releases/_line_dialog.html", context, save)
