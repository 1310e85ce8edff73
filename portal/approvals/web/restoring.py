from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.permissions import Permission
from portal.access.signin import needs_fresh_sign_in
from portal.access.web.scope import Scope, project_page
from portal.approvals.services.restoring import (
    Restoration,
    preflight_restore,
    restoration_of,
    restore,
)
from portal.approvals.web.preflight import fresh_for_break_glass, preflight, read_intent
from portal.audit import history
from portal.audit.diffing import differences
from portal.audit.models import AuditEvent
from portal.lib.web.pages import Refusal, confirm_name, governed, redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.AUDIT_VIEW)
def restore_version(request: HttpRequest, scope: Scope, record: int) -> HttpResponse:
    try:
        event = history.find(scope.project.key, record)
    except AuditEvent.DoesNotExist:
        raise Http404(record) from None
    restoration = restoration_of(scope.project, event)
    fresh = needs_fresh_sign_in if restoration.found.handler.is_dangerous else fresh_for_break_glass
    return fresh(_restore_version)(request, scope, event, restoration)


def _restore_version(
    request: HttpRequest, scope: Scope, event: AuditEvent, restoration: Restoration
) -> HttpResponse:
    places = restoration.found.target.environments
    view = preflight(scope, places, turns_off=False)
    # As wherever else something begins to be served in production.
    starts = len(places) == 1 and restoration.document.get("enabled") is not False
    is_typed = starts and places[0].is_production and not view.needs_approval
    typed_name = places[0].key if is_typed else ""

    def save() -> HttpResponse:
        if typed_name:
            confirm_name(request, typed_name)
        seen = request.POST.get("version", "")
        restore(restoration, seen_version=seen, intent=read_intent(request, scope))
        return redirect_to(request, restoration.found.page, _("Restored."))

    def context(_refusal: Refusal) -> dict[str, object]:
        current = restoration.current
        coming = preflight_restore(restoration, intent=read_intent(request, scope))
        changes = differences(current.document, restoration.document)
        return {
            "scope": scope,
            "event": event,
            "is_same": not changes,
            "changes": changes,
            "words": restoration.words,
            "version": restoration.version,
            "problems": coming.problems,
            "waits": coming.waits,
            "preflight": view if coming.waits or view.frozen else None,
            "typed_name": typed_name,
            "address": restoration.found.page,
        }

    page = "approvals/restore.html"
    return governed(request, (page, page), context, save)
