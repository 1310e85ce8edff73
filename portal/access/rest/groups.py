"""``/api/v1/projects/{project}/groups``: people who are given roles together."""

from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import services
from portal.access.api import holder_of
from portal.access.api_scope import allowed, project_of
from portal.access.models import Group, Project, User
from portal.access.permissions import Permission
from portal.access.rest import documents, schema
from portal.access.rest.asking import person_of, whole_name
from portal.lib.api import MergePatchParser, StrictJSONParser
from portal.lib.api_body import TEXT, Field, read_body
from portal.lib.api_paging import PAGING, listing, page_of
from portal.lib.api_view import ApiView
from portal.lib.intent import Intent

_NAME = {"name": Field(TEXT, required=True)}
_NEW = {"key": Field(TEXT, required=True), "name": Field(TEXT)}


class GroupList(ApiView):
    """The groups of a project."""

    asks = {"GET": PAGING}

    @schema.list_groups
    def get(self, request: Request, project: str) -> Response:
        """A page of groups with their members, in order of their keys."""
        rows = project_of(request, project).groups.prefetch_related("members")
        page, following = page_of(request, rows, by="key")
        return listing(request, "groups", [documents.group(one) for one in page], following)

    @schema.create_group
    def post(self, request: Request, project: str) -> Response:
        """Create a group without members."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = {"name": ""} | read_body(request.data, _NEW)
        actor = holder_of(request).actor
        made = services.create_group(project=own, **body, intent=Intent(actor))
        where = reverse("api-group", args=[project, made.key])
        return Response(documents.group(made), status=201, headers={"Location": where})


class GroupDetail(ApiView):
    """One group."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_group
    def get(self, request: Request, project: str, group: str) -> Response:
        """A group with its members."""
        return Response(documents.group(_group_of(project_of(request, project), group)))

    @schema.edit_group
    def patch(self, request: Request, project: str, group: str) -> Response:
        """Give a group another name. Its key stays."""
        found = _group_of(allowed(request, project, Permission.MEMBER_MANAGE), group)
        body = read_body(request.data, _NAME)
        edited = services.edit_group(group=found, **body, intent=Intent(holder_of(request).actor))
        return Response(documents.group(edited))

    @schema.delete_group
    def delete(self, request: Request, project: str, group: str) -> Response:
        """Remove a group and what it was given."""
        found = _group_of(allowed(request, project, Permission.MEMBER_MANAGE), group)
        services.delete_group(group=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


class GroupMember(ApiView):
    """Somebody in a group."""

    @schema.add_to_group
    def put(self, request: Request, project: str, group: str, username: str) -> Response:
        """Put somebody who has an account into a group; again changes nothing.

        A key gives no more with it than whoever made it may do, and never the right to approve.
        """
        found = _group_of(allowed(request, project, Permission.MEMBER_MANAGE), group)
        user = person_of(whole_name(username))
        services.add_to_group(group=found, user=user, intent=Intent(holder_of(request).actor))
        return Response(documents.group(found))

    @schema.remove_from_group
    def delete(self, request: Request, project: str, group: str, username: str) -> Response:
        """Take somebody out of a group; again changes nothing."""
        found = _group_of(allowed(request, project, Permission.MEMBER_MANAGE), group)
        user = User.objects.filter(username=whole_name(username)).first()
        if user is None:
            raise Http404
        services.remove_from_group(group=found, user=user, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _group_of(project: Project, key: str) -> Group:
    found = project.groups.filter(key=key).first()
    if found is None:
        raise Http404
    return found
