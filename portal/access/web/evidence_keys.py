"""Which evidence a key may post, and who vouches for it: two steps of the page of API keys."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from portal.access import selectors, services
from portal.access.models import ApiKey
from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.keys import keys_changed
from portal.access.web.scope import Scope, project_page
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.KEY_MANAGE)
@needs_fresh_sign_in
def set_evidence(request: HttpRequest, scope: Scope, selector: str) -> HttpResponse:
    """Say which kinds of evidence an admin key may post."""
    key = _key(scope, selector)
    context: dict[str, object] = {"scope": scope, "key": key, "value": " ".join(key.evidence)}
    if request.method != "POST":
        return render(request, "access/_key_evidence_dialog.html", context)
    typed = request.POST.get("evidence", "")
    try:
        services.set_evidence(key=key, kinds=typed.split(), intent=Intent(scope.actor))
    except Invalid as error:
        context |= {"value": typed, "errors": error.problems}
        return render(request, "access/_key_evidence_dialog.html", context, status=422)
    return keys_changed(request, scope, _("Saved {name}.").format(name=key.name))


@require_POST
@project_page(Permission.FLAG_VIEW)
def confirm_key(request: HttpRequest, scope: Scope, selector: str) -> HttpResponse:
    """Vouch for the evidence that a key posts."""
    key = _key(scope, selector)
    services.confirm_key(key=key, intent=Intent(scope.actor))
    return keys_changed(request, scope, _("You confirmed {name}.").format(name=key.name))


def _key(scope: Scope, selector: str) -> ApiKey:
    key = get_object_or_404(selectors.keys_of(scope.project), selector=selector)
    key.environment.project = scope.project
    return key
