"""``…/members``, ``…/grants`` and ``…/invitations``: who belongs to a project, with which roles."""

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import overview, selectors, services
from portal.access.api.scope import allowed, holder_of, place_or_all, project_of
from portal.access.models import Group, InvitationState, Project, User
from portal.access.permissions import Permission
from portal.lib import clock
from portal.lib.api.endpoints import answer, answer_page, find, listing, page_of, text
from portal.lib.api.idempotency import Secretive
from portal.lib.api.shapes import MOMENT, SWITCH, TEXT, WHOLE, PageShape, Shape
from portal.lib.api.views import ApiView, operation, query
from portal.lib.errors import Invalid
from portal.lib.journal import Intent

EVERYWHERE = "null: in all environments."
HELD_ROLE = Shape(
    "HeldRole",
    {
        "role": TEXT(of="grant.role"),
        "environment": TEXT(EVERYWHERE, of="grant.environment.key", nullable=True),
        "group": TEXT("What it comes through, if anything.", of="group.key", nullable=True),
    },
)
MEMBER = Shape(
    "Member",
    {
        "username": TEXT(of="user.username"),
        "active": SWITCH(of="user.is_active"),
        "roles": HELD_ROLE.many(),
    },
)
MEMBERS = PageShape("MemberPage", "members", MEMBER.many())
MEMBER_PATCH = Shape(
    "MemberPatch",
    {"role": TEXT()},
    "What becomes the only role given by name, in all environments.",
)
WITH_PLACE = Shape(
    "WithPlace", {"role": TEXT(), "environment": TEXT(EVERYWHERE, optional=True, nullable=True)}
)
NEW_MEMBER = WITH_PLACE.but("NewMember", username=TEXT("Of somebody who has an account."))
GRANT = Shape(
    "Grant",
    {
        "id": WHOLE(of="pk"),
        "member": TEXT(of="user.username", nullable=True),
        "group": TEXT(of="group.key", nullable=True),
        "role": TEXT(),
        "environment": TEXT(EVERYWHERE, of="environment.key", nullable=True),
        "given_at": MOMENT(),
    },
    "A role given to a person or a group.",
)
GRANTS = PageShape("GrantPage", "grants", GRANT.many())
NEW_GRANT = WITH_PLACE.but(
    "NewGrant",
    "A role for a member or for a group: name one of the two.",
    member=TEXT(optional=True),
    group=TEXT(optional=True),
)
_NARROWED_BY = {
    "member": "user__username",
    "group": "group__key",
    "role": "role",
    "environment": "environment__key",
}


class MemberList(ApiView):
    @operation("list_members", "access", MEMBERS)
    def get(self, request: Request, project: str) -> Response:
        """A page of members by name, each with what they were given, also through groups."""
        own = project_of(request, project)
        page, following = page_of(request, selectors.members_of(own), by="username")
        held = {one.user.pk: one for one in overview.members_with_roles(own)}
        found = [held[user.pk] for user in page if user.pk in held]
        return listing(request, MEMBERS, found, following)

    @operation("add_member", "access", MEMBER, status=201, body=NEW_MEMBER)
    def post(self, request: Request, project: str) -> Response:
        """Make somebody who has an account a member. Keys make no accounts: send an invitation.

        A key gives no more than its maker may do, and never the right to approve.
        """
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = NEW_MEMBER.read(request.data)
        added = services.add_member(
            project=own,
            username=body["username"],
            role=body["role"],
            environment=place_or_all(own, body.get("environment")),
            intent=Intent(holder_of(request).actor),
        )
        return _answer(own, added.user, status=201)


class MemberDetail(ApiView):
    @operation("edit_member", "access", MEMBER, body=MEMBER_PATCH)
    def patch(self, request: Request, project: str, username: str) -> Response:
        """Make a role, in all environments, the only one that somebody was given by name."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        user = find(selectors.members_of(own), username=username)
        body = MEMBER_PATCH.read(request.data)
        services.set_role(project=own, user=user, **body, intent=Intent(holder_of(request).actor))
        return _answer(own, user)

    @operation("remove_member", "access")
    def delete(self, request: Request, project: str, username: str) -> Response:
        """Take away everything that somebody has in the project, groups included."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        user = find(selectors.members_of(own), username=username)
        services.remove_member(project=own, user=user, intent=Intent(holder_of(request).actor))
        return Response(status=204)


class GrantList(ApiView):
    @operation(
        "list_grants",
        "access",
        GRANTS,
        parameters=[
            query("member", "Only those given to the person of this name."),
            query("group", "Only those given to the group of this key."),
            query("role", "Only those of the role of this key."),
            query("environment", "Only those of the environment of this key."),
        ],
    )
    def get(self, request: Request, project: str) -> Response:
        """A page of roles given to people and groups, the first ones first."""
        asked = {field: text(request, name) for name, field in _NARROWED_BY.items()}
        named = {field: value for field, value in asked.items() if value}
        rows = project_of(request, project).grants.filter(**named)
        rows = rows.select_related("user", "group", "environment")
        return answer_page(request, GRANTS, rows, by="pk")

    @operation("give_role", "access", GRANT, status=201, body=NEW_GRANT)
    def post(self, request: Request, project: str) -> Response:
        """Give a role to a member or a group; again changes nothing.

        A key gives no more than its maker may do, and never the right to approve.
        """
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = NEW_GRANT.read(request.data)
        given = services.grant_role(
            project=own,
            to=_holder_of(own, body.get("member"), body.get("group")),
            role=body["role"],
            environment=place_or_all(own, body.get("environment")),
            intent=Intent(holder_of(request).actor),
        )
        return answer(GRANT.dump(given), status=201)


class GrantDetail(ApiView):
    @operation("revoke_grant", "access")
    def delete(self, request: Request, project: str, grant: int) -> Response:
        """Take a role away again."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = find(own.grants.select_related("user", "group", "environment"), pk=grant)
        services.revoke_grant(grant=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _holder_of(project: Project, member: str | None, group: str | None) -> User | Group:
    """A member or a group, of which a body names one. Raises Invalid."""
    if (member is None) == (group is None):
        raise Invalid({"member": _("Name either a member or a group.")})
    people = selectors.members_of(project).filter(username=member)
    found = project.groups.filter(key=group).first() if group is not None else people.first()
    if found is None:
        path = "group" if member is None else "member"
        raise Invalid({path: _("There is none of that name in this project.")})
    return found


def _answer(project: Project, user: User, *, status: int = 200) -> Response:
    members = overview.members_with_roles(project)
    found = next(one for one in members if one.user.pk == user.pk)
    return answer(MEMBER.dump(found), status=status)


# ``/api/v1/projects/{project}/invitations``: links with which people join.


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
INVITATIONS = PageShape("InvitationPage", "invitations", INVITATION.many())
SENT = INVITATION.but(
    "SentInvitation",
    link=TEXT("Null where the answer is replayed.", nullable=True),
    notice=TEXT("Why there is no link, or empty."),
)
NEW_INVITATION = WITH_PLACE.but("NewInvitation", note=TEXT(optional=True, maxLength=200))


class InvitationList(ApiView):
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
    @operation("revoke_invitation", "access")
    def delete(self, request: Request, project: str, invitation: str) -> Response:
        """Take a link back. One that was used already stays used."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = find(own.invitations, selector=invitation)
        services.revoke_invitation(invitation=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)
