"""``/api/v1/projects/{project}/…``: evidence from CI, and what became of requests.

Keys ask, post evidence and look; they never vote, and they apply nothing.
"""

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access.api.authentication import holder_of
from portal.access.api.scope import environment_of, project_of
from portal.approvals import selectors, services
from portal.approvals.api import schema
from portal.approvals.api.documents import (
    comment_document,
    evidence_document,
    full_document,
    request_document,
)
from portal.approvals.api.reading import comment_text, evidence_fields
from portal.approvals.models import ChangeRequest, Comment, Evidence, State
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.query import text
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid
from portal.lib.intent import Intent


class EvidenceList(ApiView):
    """What machines found out about a digest."""

    asks = {"GET": ("digest", *PAGING)}

    @schema.list_evidence
    def get(self, request: Request, project: str) -> Response:
        """The evidence about one digest, the latest first."""
        own, digest = project_of(request, project), text(request, "digest")
        if not digest:
            raise Invalid({"digest": _("Say which digest the evidence is about.")})
        rows = Evidence.objects.filter(project=own, digest=digest)
        page, following = page_of(request, rows, by="-pk")
        return listing(request, "evidence", [evidence_document(one) for one in page], following)

    @schema.post_evidence
    def post(self, request: Request, project: str) -> Response:
        """Post one result. Of each kind the latest counts, until it expires."""
        evidence = services.post_evidence(
            project=project_of(request, project),
            **evidence_fields(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return Response(evidence_document(evidence), status=201)


class ChangeRequestList(ApiView):
    """The change requests that concern the key's environment."""

    asks = {"GET": ("state", "environment", *PAGING)}

    @schema.list_change_requests
    def get(self, request: Request, project: str) -> Response:
        """A page of change requests, the newest first."""
        rows, state = _requests(request, project), text(request, "state")
        place = text(request, "environment")
        if place:
            environment_of(request, project, place)
        if state and state not in State.values:
            states = ", ".join(State.values)
            raise Invalid({"state": _("Choose one of: {states}.").format(states=states)})
        rows = rows.filter(state=state) if state else rows
        page, following = page_of(request, rows, by="-pk")
        documents = [request_document(one) for one in page]
        return listing(request, "change_requests", documents, following)


class ChangeRequestDetail(ApiView):
    """One change request."""

    @schema.read_change_request
    def get(self, request: Request, project: str, number: int) -> Response:
        """What it would change, who voted, and what it still lacks."""
        return Response(
            full_document(_request(request, project, number), holder_of(request).environment)
        )


class Withdrawal(ApiView):
    """Taking a change request back."""

    @schema.withdraw_change_request
    def post(self, request: Request, project: str, number: int) -> Response:
        """Take back what this key asked for."""
        asked = _request(request, project, number)
        services.withdraw_request(request=asked, intent=Intent(holder_of(request).actor))
        asked.refresh_from_db()
        return Response(full_document(asked, holder_of(request).environment))


class CommentList(ApiView):
    """What was said about a change request."""

    asks = {"GET": PAGING}

    @schema.list_comments
    def get(self, request: Request, project: str, number: int) -> Response:
        """A page of comments, the first ones first."""
        rows = Comment.objects.filter(request=_request(request, project, number))
        page, following = page_of(request, rows, by="pk")
        return listing(request, "comments", [comment_document(one) for one in page], following)

    @schema.comment_on_change_request
    def post(self, request: Request, project: str, number: int) -> Response:
        """Say something about it, for the people who approve it to read."""
        comment = services.comment_on_request(
            request=_request(request, project, number),
            text=comment_text(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return Response(comment_document(comment), status=201)


def _requests(request: Request, project: str) -> QuerySet[ChangeRequest]:
    rows = selectors.requests_of(project_of(request, project))
    return rows.filter(environments=holder_of(request).environment)


def _request(request: Request, project: str, number: int) -> ChangeRequest:
    found = _requests(request, project).filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise Http404
    return found
