"""``/api/v1/projects/{project}/history``: the project's part of the audit trail."""

from datetime import UTC

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import authority
from portal.access.api import holder_of
from portal.access.permissions import Permission
from portal.audit import history
from portal.audit.api import schema
from portal.audit.filters import PARAMETERS, parse
from portal.audit.models import AuditEvent
from portal.lib import clock, wording
from portal.lib.api_paging import PAGING, limit_of, listing
from portal.lib.api_view import ApiView
from portal.lib.errors import Invalid


class History(ApiView):
    """What happened in a project."""

    asks = {"GET": (*PARAMETERS, *PAGING)}

    @schema.list_history
    def get(self, request: Request, project: str) -> Response:
        """A page of records, newest first.

        Records come in order of `sequence`. `next` continues with earlier ones, and does so
        unmoved by records that are added meanwhile.
        """
        holder = holder_of(request)
        if holder.project.key != project:
            raise Http404
        authority.require(holder.actor, Permission.AUDIT_VIEW, project=holder.project)
        query = parse(request.query_params.dict(), project=project, now=clock.now())
        before, size = _cursor(request), limit_of(request)
        if query.problems:
            raise Invalid(query.problems)
        page = history.page(query.filters, before=before, size=size)
        count = history.count(query.filters)
        return listing(
            request,
            "events",
            [_document(event) for event in history.whole(page.events)],
            str(page.earlier) if page.earlier else None,
            count=count.number,
            count_is_exact=count.is_exact,
        )


def _cursor(request: Request) -> int | None:
    text = str(request.query_params.get("cursor", ""))
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Invalid({"cursor": _("Send the “next” of the page before, as it was.")})
    return int(text)


def _document(event: AuditEvent) -> dict[str, object]:
    """A record as the API answers it."""
    return {
        "sequence": event.sequence,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "event": event.event,
        "words": wording.headline(event.event),
        "actor": {"kind": event.actor_kind, "id": event.actor_id, "name": event.actor},
        "project": event.project,
        "environment": event.environment,
        "subject": {"kind": event.subject_kind, "name": event.subject},
        "version": event.version,
        "before": event.before_document,
        "after": event.after_document,
        "reason": event.reason,
        "request_id": event.request_id,
        "ip": event.ip,
        "user_agent": event.user_agent,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }
