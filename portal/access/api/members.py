"""``/api/v1/projects/{project}/members`` and ``/grants``: who belongs to it, with which roles."""

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import overview, selectors, services
from portal.access.api import documents, schema
from portal.access.api.asking import fitting, named, place_of, whole_name
from portal.access.api.authentication import holder_of
from portal.access.api.scope import allowed, project_of
from portal.access.models import Group, Project, User
from portal.access.permissions import Permission
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.parsers import MergePatchParser, StrictJSONParser
from portal.lib.api.query import text
from portal.lib.api.shapes import TEXT, Field, read_body
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid
from portal.lib.intent import Intent

_ROLE = {"role": Field(TEXT, required=True)}
_WITH_PLACE = _ROLE | {"environment": Field(TEXT, nullable=True)}
_NEW_MEMBER = {"username": Field(TEXT, required=True), **_WITH_PLACE}
_NEW_GRANT = {"member": Field(TEXT), "group": Field(TEXT), **_WITH_PLACE}


class MemberList(ApiView):
    """The people of a project."""

    asks = {"GET": PAGING}

    @schema.list_members
    def get(self, request: Request, project: str) -> Response:
        """A page of members by name, each with what they were given, also through groups."""
        own = project_of(request, project)
        page, following = page_of(request, selectors.members_of(own), by="username")
        held = {one.user.pk: one for one in overview.members_with_roles(own)}
        found = [documents.member(held[user.pk]) for user in page if user.pk in held]
        return listing(request, "members", found, following)

    @schema.add_member
    def post(self, request: Request, project: str) -> Response:
        """Make somebody who has an account a member. Keys make no accounts: send an invitation.

        A key gives no more than whoever made it may do, and never the right to approve.
        """
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = read_body(request.data, _NEW_MEMBER)
        added = services.add_member(
            project=own,
            username=body["username"],
            role=body["role"],
            environment=place_of(own, body.get("environment")),
            intent=Intent(holder_of(request).actor),
        )
        return Response(_document(own, added.user), status=201)


class MemberDetail(ApiView):
    """One member."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.edit_member
    def patch(self, request: Request, project: str, username: str) -> Response:
        """Make a role, in all environments, the only one that somebody was given by name."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        user = _member_of(own, username)
        body = read_body(request.data, _ROLE)
        services.set_role(project=own, user=user, **body, intent=Intent(holder_of(request).actor))
        return Response(_document(own, user))

    @schema.remove_member
    def delete(self, request: Request, project: str, username: str) -> Response:
        """Take away everything that somebody has in the project, groups included."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        user = _member_of(own, username)
        services.remove_member(project=own, user=user, intent=Intent(holder_of(request).actor))
        return Response(status=204)


class GrantList(ApiView):
    """Who was given which role."""

    asks = {"GET": ("member", "group", "role", "environment", *PAGING)}

    @schema.list_grants
    def get(self, request: Request, project: str) -> Response:
        """A page of roles given to people and groups, the first ones first."""
        fields = {
            "user__username": text(request, "member"),
            "group__key": text(request, "group"),
            "role": text(request, "role"),
            "environment__key": text(request, "environment"),
        }
        rows = project_of(request, project).grants.filter(**named(fields))
        rows = rows.select_related("user", "group", "environment")
        page, following = page_of(request, rows, by="pk")
        return listing(request, "grants", [documents.grant(one) for one in page], following)

    @schema.give_role
    def post(self, request: Request, project: str) -> Response:
        """Give a role to a member or a group; again changes nothing.

        A key gives no more than whoever made it may do, and never the right to approve.
        """
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = read_body(request.data, _NEW_GRANT)
        given = services.grant_role(
            project=own,
            to=_holder_of(own, body.get("member"), body.get("group")),
            role=body["role"],
            environment=place_of(own, body.get("environment")),
            intent=Intent(holder_of(request).actor),
        )
        return Response(documents.grant(given), status=201)


class GrantDetail(ApiView):
    """One role that somebody was given."""

    @schema.revoke_grant
    def delete(self, request: Request, project: str, grant: int) -> Response:
        """Take a role away again."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = own.grants.filter(pk=fitting(grant)).select_related(
            "user", "group", "environment", "project"
        )
        if not found:
            raise Http404
        services.revoke_grant(grant=found[0], intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _member_of(project: Project, username: str) -> User:
    found = selectors.members_of(project).filter(username=whole_name(username)).first()
    if found is None:
        raise Http404
    return found


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


def _document(project: Project, user: User) -> dict[str, object]:
    members = overview.members_with_roles(project)
    return next(documents.member(one) for one in members if one.user.pk == user.pk)
