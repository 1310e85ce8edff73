"""How a project names its flags: the page, and setting it."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags.services import naming
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.intent import Intent
from portal.lib.web.htmx import redirect_to, render_page

FIELDS = ("pattern", "example", "hint")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def naming_rule(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Everybody may read it; who may not set it is refused by the service."""
    if request.method != "POST":
        rule = naming.rule_of(scope.project)
        return _draw(request, scope, rule.document if rule else {})
    values = {name: request.POST.get(name, "") for name in FIELDS}
    try:
        naming.set_naming_rule(project=scope.project, intent=Intent(scope.actor), **values)
    except Invalid as error:
        return _draw(request, scope, values, error.problems)
    address = reverse("naming-rule", args=[scope.project.key])
    return redirect_to(request, address, _("Saved. Flags that exist keep their keys."))


def _draw(
    request: HttpRequest,
    scope: Scope,
    values: Mapping[str, object],
    errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    context = {"scope": scope, "values": values, "errors": errors or {}}
    status = 422 if errors else 200
    page, fragment = "flags/naming.html", "flags/_naming_form.html"
    return render_page(request, page, fragment, context, status=status)
