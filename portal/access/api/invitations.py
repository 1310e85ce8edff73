"""``/api/v1/projects/{project}/invitations``: links with which people join."""

from django.conf import settings
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import services
from portal.access.api.authentication import holder_of
from portal.access.api.members import EVERYWHERE, WITH_PLACE
from portal.access.api.scope import allowed, place_or_all, project_of
from portal.access.models import InvitationState
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api.idempotency import Secretive
from portal.lib.api.operations import operation
from portal.lib.api.pagination import listing, page_of
from portal.lib.api.query import find
from portal.lib.api.shapes import MOMENT, TEXT, Page, Shape
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent

INVITATION = Shape(
    "Invitation",
    {
        "id": TEXT(of="selector"),
        "role": TEXT(),
        "environment": TEXT(EVERYWHERE, of="environment.key", nullable=True),
        "note": TEXT(),
        "state": TEXT(enum=InvitationState.values),
        "created_by": TEXT(),
        "created_at": MOMENT(),
        "expires_at": MOMENT(),
        "accepted_by": TEXT(of="accepted_by.username", nullable=True),
    },
)
INVITATIONS = Page("InvitationPage", "invitations", INVITATION.many())
SENT = INVITATION.but(
    "SentInvitation",
    link=TEXT("Null where the answer is replayed.", nullable=True),
    notice=TEXT("Why there is no link, or empty."),
)
NEW_INVITATION = WITH_PLACE.but("NewInvitation", note=TEXT(optional=True, maxLength=200))


class InvitationList(ApiView):
    """The invitations of a project."""

    @operation("list_invitations", "access", INVITATIONS)
    def get(self, request: Request, project: str) -> Response:
        """A page of invitations, the newest first; their links are shown to nobody again."""
        rows = project_of(request, project).invitations.select_related("environment", "accepted_by")
        page, following = page_of(request, rows, by="-pk")
        now = clock.now()
        found = [INVITATION.dump(one, state=str(one.state_at(now))) for one in page]
        return listing(request, INVITATIONS, found, following)

    @operation("create_invitation", "access", SENT, status=201, body=NEW_INVITATION)
    def post(self, request: Request, project: str) -> Response:
        """Make a link with which one person joins within a week, as long as this key may.

        The link is shown in this answer alone; who repeats the request gets null in its place.
        """
        own, now = allowed(request, project, Permission.MEMBER_MANAGE), clock.now()
        body = NEW_INVITATION.read(request.data)
        sent = services.create_invitation(
            project=own,
            role=body["role"],
            environment=place_or_all(own, body.get("environment")),
            note=body.get("note", ""),
            intent=Intent(holder_of(request).actor, at=now),
        )
        document = SENT.dump(
            sent.invitation,
            state=str(sent.invitation.state_at(now)),
            link=settings.PORTAL_URL.rstrip("/") + reverse("invitation", args=[str(sent.token)]),
            notice="",
        )
        return Secretive(document, hidden="link", status=201)


class InvitationDetail(ApiView):
    """One invitation."""

    @operation("revoke_invitation", "access")
    def delete(self, request: Request, project: str, invitation: str) -> Response:
        """Take a link back. One that was used already stays used."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = find(own.invitations, selector=invitation)
        services.revoke_invitation(invitation=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)
