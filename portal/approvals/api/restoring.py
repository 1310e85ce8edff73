"""``/api/v1/projects/{project}/history/{record}/restore``: making a thing what it was."""

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.scope import allowed, allowed_here, holder_of
from portal.access.permissions import Permission
from portal.approvals.services import restoring
from portal.approvals.services.restoring import Restoration
from portal.audit import history
from portal.audit.models import AuditEvent
from portal.lib.api.endpoints import answer
from portal.lib.api.shapes import TEXT, TEXTS, Shape
from portal.lib.api.views import CONFLICT, ApiView, operation
from portal.lib.journal import Intent

RESTORING = Shape(
    "Restoring",
    {
        "version": TEXT("The one that was read, of what is there now."),
        "reason": TEXT("Why; the history keeps it.", optional=True),
    },
)
RESTORATION = Shape(
    "Restoration",
    {
        "version": TEXT("Of what is there now; send it to restore."),
        "changes": TEXTS("What restoring changes, one sentence each.", of="words"),
    },
    "What a record of the history says a thing was, beside what it is.",
)


class HistoryRestoration(ApiView):
    @operation("read_restoration", "history", RESTORATION)
    def get(self, request: Request, project: str, record: int) -> Response:
        """What restoring the version of a record would change; 404 where it does not say all of a
        thing, or that has been deleted since."""
        return answer(RESTORATION.dump(_restoration(request, project, record)))

    @operation("restore_version", "history", RESTORATION, CONFLICT, body=RESTORING)
    def post(self, request: Request, project: str, record: int) -> Response:
        """Make the thing what the record says it was: an ordinary change, which may have to wait.

        What a person only changes after proving again who they are, such as a policy, no key
        restores.
        """
        found = _restoration(request, project, record)
        wanted = RESTORING.read(request.data)
        if found.found.handler.is_dangerous:
            raise PermissionDenied(_("No key restores this. A person does it in the portal."))
        intent = Intent(holder_of(request).actor, wanted.get("reason", ""))
        restoring.restore(found, seen_version=wanted["version"], intent=intent)
        return answer(RESTORATION.dump(_restoration(request, project, record)))


def _restoration(request: Request, project: str, record: int) -> Restoration:
    own = allowed_here(request, project, Permission.FLAG_VIEW)
    allowed(request, project, Permission.AUDIT_VIEW)
    try:
        event = history.find(project, record)
    except AuditEvent.DoesNotExist:
        raise Http404(record) from None
    if event.environment not in ("", own.key):
        raise Http404(record)
    return restoring.restoration_of(own.project, event)
