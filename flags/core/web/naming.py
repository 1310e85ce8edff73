from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags.core import naming
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.journal import Intent
from portal.lib.web.pages import Refusal, governed, redirect_to

FIELDS = ("pattern", "example", "hint")


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def naming_rule(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Everybody may read it; who may not set it is refused by the service."""
    values = {name: request.POST.get(name, "") for name in FIELDS}

    def context(_refusal: Refusal) -> dict[str, object]:
        rule = naming.rule_of(scope.project)
        stored = rule.document if rule else {}
        return {"scope": scope, "values": values if request.method == "POST" else stored}

    def save() -> HttpResponse:
        naming.set_naming_rule(project=scope.project, intent=Intent(scope.actor), **values)
        address = reverse("naming-rule", args=[scope.project.key])
        return redirect_to(request, address, _("Saved. Flags that exist keep their keys."))

    return governed(
        request, ("flags/core/naming.html", "flags/core/_naming_form.html"), context, save
    )
