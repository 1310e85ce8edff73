"""``/api/v1/projects/{project}/…``: evidence from CI, and what became of requests.

Keys ask, post evidence and look; they never vote, and they apply nothing.
"""

from typing import TypeVar

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api import holder_of
from portal.access.api_scope import environment_of, project_of
from portal.approvals import selectors, services
from portal.approvals.api import schema
from portal.approvals.api.documents import evidence_document, full_document, request_document
from portal.approvals.api.reading import evidence_fields
from portal.approvals.models import ChangeRequest, Evidence, State
from portal.lib import clock
from portal.lib.api_query import bad_cursor, decode_cursor, encode_cursor, text
from portal.lib.api_view import ApiView
from portal.lib.errors import Invalid

PAGE = 50
Row = TypeVar("Row", ChangeRequest, Evidence)


class EvidenceList(ApiView):
    """What machines found out about a digest."""

    @schema.list_evidence
    def get(self, request: Request, project: str) -> Response:
        """The evidence about one digest, 50 at a time, the latest first."""
        own, digest = project_of(request, project), text(request, "digest")
        if not digest:
            raise Invalid({"digest": _("Say which digest the evidence is about.")})
        rows = Evidence.objects.filter(project=own, digest=digest)
        page, following = _page(request, rows)
        return Response({"evidence": [evidence_document(one) for one in page], "next": following})

    @schema.post_evidence
    def post(self, request: Request, project: str) -> Response:
        """Post one result. Of each kind the latest counts, until it expires."""
        evidence = services.post_evidence(
            project=project_of(request, project),
            **evidence_fields(request.data),
            actor=holder_of(request).actor,
            now=clock.now(),
        )
        return Response(evidence_document(evidence), status=201)


class ChangeRequestList(ApiView):
    """The change requests that concern the key's environment."""

    @schema.list_change_requests
    def get(self, request: Request, project: str) -> Response:
        """A page of change requests, 50 at a time, the newest first."""
        rows, state = _requests(request, project), text(request, "state")
        place = text(request, "environment")
        if place:
            environment_of(request, project, place)
        if state and state not in State.values:
            states = ", ".join(State.values)
            raise Invalid({"state": _("Choose one of: {states}.").format(states=states)})
        page, following = _page(request, rows.filter(state=state) if state else rows)
        documents = [request_document(one) for one in page]
        return Response({"change_requests": documents, "next": following})


class ChangeRequestDetail(ApiView):
    """One change request."""

    @schema.read_change_request
    def get(self, request: Request, project: str, number: int) -> Response:
        """What it would change, who voted, and what it still lacks."""
        return Response(full_document(_request(request, project, number)))


class Withdrawal(ApiView):
    """Taking a change request back."""

    @schema.withdraw_change_request
    def post(self, request: Request, project: str, number: int) -> Response:
        """Take back what this key asked for."""
        asked = _request(request, project, number)
        services.withdraw_request(request=asked, actor=holder_of(request).actor, now=clock.now())
        asked.refresh_from_db()
        return Response(full_document(asked))


def _requests(request: Request, project: str) -> QuerySet[ChangeRequest]:
    rows = selectors.requests_of(project_of(request, project))
    return rows.filter(environments=holder_of(request).environment)


def _request(request: Request, project: str, number: int) -> ChangeRequest:
    found = _requests(request, project).filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise Http404
    return found


def _page(request: Request, rows: QuerySet[Row]) -> tuple[list[Row], str | None]:
    """The rows after the cursor, and the cursor of the page after; newest first."""
    after = decode_cursor(text(request, "cursor"))
    if after:
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise bad_cursor()
        rows = rows.filter(pk__lt=int(after))
    found = list(rows.order_by("-pk")[: PAGE + 1])
    page = found[:PAGE]
    return page, encode_cursor(str(page[-1].pk)) if len(found) > PAGE else None
