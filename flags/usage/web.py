from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from flags.usage import sampling
from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.lib.journal import Intent
from portal.lib.web.pages import Refusal, governed, redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.FLAG_VIEW)
def context_sampling(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Everybody may read it; who may not set it is refused by the service."""

    def save() -> HttpResponse:
        sampled = request.POST.get("sampled") == "1"
        sampling.set_sampling(project=scope.project, sampled=sampled, intent=Intent(scope.actor))
        address = reverse("context-sampling", args=[scope.project.key])
        on, off = (
            _("Samples are kept from now on."),
            _("No samples are kept; those there were are gone."),
        )
        return redirect_to(request, address, on if sampled else off)

    def context(_refusal: Refusal) -> dict[str, object]:
        return {
            "scope": scope,
            "sampled": sampling.is_sampled(scope.project),
            "most": sampling.MOST,
            "hours": sampling.KEPT_FOR.days * 24,
        }

    return governed(
        request, ("flags/usage/sampling.html", "flags/usage/_sampling_form.html"), context, save
    )
