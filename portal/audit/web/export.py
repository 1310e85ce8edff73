"""The history as a file, made while it is sent."""

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_POST

from portal.access.permissions import Permission
from portal.audit import exports
from portal.audit.filters import parse
from portal.audit.web.scope import Place, history_of_project, history_of_site
from portal.lib import clock
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


def _export(request: HttpRequest, place: Place) -> HttpResponseBase:
    """The rows that match the filters in the address. By POST, for it leaves a record."""
    now = clock.now()
    query = parse(request.GET.dict(), project=place.project, now=now)
    if query.problems:
        raise Invalid(query.problems)
    export = exports.start_export(
        filters=query.filters,
        format_name=request.POST.get("format", "csv"),
        intent=Intent(place.actor, at=now),
        alone=request.POST.get("alone") == "1",
    )
    headers = {
        "Content-Disposition": f'attachment; filename="{export.name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(export.pieces, content_type=export.media_type, headers=headers)


project_export = require_POST(history_of_project(Permission.AUDIT_EXPORT)(_export))
site_export = require_POST(history_of_site(_export))
