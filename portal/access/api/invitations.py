"""``/api/v1/projects/{project}/invitations``: links with which people join."""

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import services
from portal.access.api import documents, schema
from portal.access.api.asking import place_of
from portal.access.api.authentication import holder_of
from portal.access.api.scope import allowed, project_of
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api.idempotency import Secretive
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.shapes import TEXT, Field, read_body
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent

_NEW = {
    "role": Field(TEXT, required=True),
    "environment": Field(TEXT, nullable=True),
    "note": Field(TEXT),
}


class InvitationList(ApiView):
    """The invitations of a project."""

    asks = {"GET": PAGING}

    @schema.list_invitations
    def get(self, request: Request, project: str) -> Response:
        """A page of invitations, the newest first; their links are shown to nobody again."""
        rows = project_of(request, project).invitations.select_related("environment", "accepted_by")
        page, following = page_of(request, rows, by="-pk")
        now = clock.now()
        found = [documents.invitation(one, now) for one in page]
        return listing(request, "invitations", found, following)

    @schema.create_invitation
    def post(self, request: Request, project: str) -> Response:
        """Make a link with which one person joins within a week, as long as this key may.

        The link is shown in this answer alone; who repeats the request gets null in its place.
        """
        own, now = allowed(request, project, Permission.MEMBER_MANAGE), clock.now()
        body = read_body(request.data, _NEW)
        sent = services.create_invitation(
            project=own,
            role=body["role"],
            environment=place_of(own, body.get("environment")),
            note=body.get("note", ""),
            intent=Intent(holder_of(request).actor, at=now),
        )
        link = settings.PORTAL_URL.rstrip("/") + reverse("invitation", args=[str(sent.token)])
        document = {**documents.invitation(sent.invitation, now), "link": link, "notice": ""}
        return Secretive(document, hidden="link", status=201)


class InvitationDetail(ApiView):
    """One invitation."""

    @schema.revoke_invitation
    def delete(self, request: Request, project: str, invitation: str) -> Response:
        """Take a link back. One that was used already stays used."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = own.invitations.filter(selector=invitation).first()
        if found is None:
            raise Http404
        actor = holder_of(request).actor
        services.revoke_invitation(invitation=found, intent=Intent(actor))
        return Response(status=204)
