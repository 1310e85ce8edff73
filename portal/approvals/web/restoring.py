"""Restoring what a record of the history says something was: the differences first."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.access.permissions import Permission
from portal.access.web.scope import Scope, project_page
from portal.approvals.errors import Waiting
from portal.approvals.services.restoring import preflight, restoration_of, restore
from portal.approvals.web.outlook import fresh_for_glass, outlook, read_intent
from portal.audit import history
from portal.audit.diffing import differences
from portal.audit.models import AuditEvent
from portal.lib.errors import Conflict
from portal.lib.htmx import redirect_to


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
    notice = ""
    if request.method == "POST":
        seen = request.POST.get("version", "")
        try:
            restore(restoration, seen_version=seen, intent=read_intent(request, scope))
        except Waiting as waiting:
            text = _("Sent for approval as change request {number}.")
            return redirect_to(request, waiting.path, text.format(number=waiting.request.pk))
        except Conflict as conflict:
            notice = str(conflict)
        else:
            return redirect_to(request, restoration.found.page, _("Restored."))
    current = restoration.current
    coming = preflight(restoration, intent=read_intent(request, scope))
    asked = coming.request
    places = restoration.found.target.environments
    context = {
        "scope": scope,
        "event": event,
        "is_same": not (changes := differences(current.document, restoration.document)),
        "changes": changes,
        "words": restoration.words,
        "version": current.version,
        "problems": coming.problems,
        "waits": asked is not None,
        "outlook": outlook(scope, places, turns_off=False) if asked is not None else None,
        "address": restoration.found.page,
        "notice": notice,
        "reason": request.POST.get("reason", ""),
    }
    status = 409 if notice else 200
    return render(request, "approvals/restore.html", context, status=status)
