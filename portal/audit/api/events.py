"""``/api/v1/projects/{project}/history``: the project's part of the audit trail."""

from dataclasses import replace
from datetime import UTC

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api_scope import allowed, allowed_here, environment_of
from portal.access.permissions import Permission
from portal.audit import history
from portal.audit.api import schema
from portal.audit.filters import PARAMETERS, parse
from portal.audit.models import AuditEvent
from portal.lib import clock, subjects
from portal.lib.api_paging import PAGING, limit_of, listing
from portal.lib.api_query import text
from portal.lib.api_view import ApiView
from portal.lib.errors import Invalid


class History(ApiView):
    """What happened in a project."""

    asks = {"GET": (*PARAMETERS, *PAGING)}

    @schema.list_history
    def get(self, request: Request, project: str) -> Response:
        """A page of the records of the key's environment and of the project, newest first.

        Documents of the project's records are reduced to what they say of the key's environment.
        Records come in order of `sequence`. `next` continues with earlier ones, and does so
        unmoved by records that are added meanwhile.
        """
        own = allowed_here(request, project, Permission.FLAG_VIEW)
        allowed(request, project, Permission.AUDIT_VIEW)
        asked = text(request, "environment")
        if own.project.environments.filter(key=asked).exists():
            environment_of(request, project, asked)
        query = parse(request.query_params.dict(), project=project, now=clock.now())
        before, size = _cursor(request), limit_of(request)
        if query.problems:
            raise Invalid(query.problems)
        filters = replace(query.filters, environments=("", own.key))
        page = history.page(filters, before=before, size=size)
        count = history.count(filters)
        return listing(
            request,
            "events",
            [_document(event, own.key) for event in history.whole(page.events)],
            str(page.earlier) if page.earlier else None,
            count=count.number,
            count_is_exact=count.is_exact,
        )


def _cursor(request: Request) -> int | None:
    given = str(request.query_params.get("cursor", ""))
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise Invalid({"cursor": _("Send the “next” of the page before, as it was.")})
    return int(given)


def _reduced(
    event: AuditEvent, document: dict[str, object] | None, environment: str
) -> dict[str, object] | None:
    """A document without what it says of other environments than this one.

    An import wants something of one environment; where several have a say in it the row names
    none of them, and it may be another one.
    """
    if document is None:
        return None
    found = dict(document)
    places, wanted = found.get("environments"), found.get("to")
    if isinstance(places, dict):
        found["environments"] = {key: one for key, one in places.items() if key == environment}
    if not event.environment and isinstance(wanted, dict):
        found["to"] = {name: one for name, one in wanted.items() if name != "plan"}
    return found


def _document(event: AuditEvent, environment: str) -> dict[str, object]:
    """A record as the API answers it."""
    return {
        "sequence": event.sequence,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "event": event.event,
        "words": subjects.headline(event.event),
        "actor": {"kind": event.actor_kind, "id": event.actor_id, "name": event.actor},
        "project": event.project,
        "environment": event.environment,
        "subject": {"kind": event.subject_kind, "name": event.subject},
        "version": event.version,
        "before": _reduced(event, event.before_document, environment),
        "after": _reduced(event, event.after_document, environment),
        "reason": event.reason,
        "request_id": event.request_id,
        "ip": event.ip,
        "user_agent": event.user_agent,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }
