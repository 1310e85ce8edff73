"""Restoring what a record of the history says something was: the differences first."""

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.services.restoring import preflight, restoration_of, restore
from portal.approvals.web.outlook import fresh_for_glass, outlook, read_intent
from portal.audit import history
from portal.audit.diffing import differences
from portal.audit.models import AuditEvent
from portal.lib.web.pages import Refusal, governed, redirect_to


@require_http_methods(["GET", "HEAD", "POST"])
@project_page(Permission.AUDIT_VIEW)
@fresh_for_glass
def restore_version(request: HttpRequest, scope: Scope, record: int) -> HttpResponse:
    """What a thing was beside what it is, and the button that makes it so again."""
    try:
        event = history.find(scope.project.key, record)
    except AuditEvent.DoesNotExist:
        raise Http404(record) from None
    restoration = restoration_of(scope.project, event)

    def save() -> HttpResponse:
        seen = request.POST.get("version", "")
        restore(restoration, seen_version=seen, intent=read_intent(request, scope))
        return redirect_to(request, restoration.found.page, _("Restored."))

    def context(_refusal: Refusal) -> dict[str, object]:
        current = restoration.current
        coming = preflight(restoration, intent=read_intent(request, scope))
        places, waits = restoration.found.target.environments, coming.request is not None
        changes = differences(current.document, restoration.document)
        return {
            "scope": scope,
            "event": event,
            "is_same": not changes,
            "changes": changes,
            "words": restoration.words,
            "version": current.version,
            "problems": coming.problems,
            "waits": waits,
            "outlook": outlook(scope, places, turns_off=False) if waits else None,
            "address": restoration.found.page,
        }

    page = "approvals/restore.html"
    return governed(request, (page, page), context, save)
