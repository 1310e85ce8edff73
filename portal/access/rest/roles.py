"""``/api/v1/projects/{project}/roles``: the built-in ones, and those that a project makes."""

from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import overview, services
from portal.access.api import holder_of
from portal.access.api_scope import allowed, project_of
from portal.access.models import CustomRole, Project
from portal.access.permissions import Permission
from portal.access.rest import documents, schema
from portal.lib.api import MergePatchParser, StrictJSONParser
from portal.lib.api_body import TEXT, TEXTS, Field, read_body
from portal.lib.api_paging import PAGING, listing, page_of_keys
from portal.lib.api_view import ApiView
from portal.lib.intent import Intent

_FIELDS = {"name": Field(TEXT), "permissions": Field(TEXTS)}
_NEW = {
    "key": Field(TEXT, required=True),
    "name": Field(TEXT),
    "permissions": Field(TEXTS, required=True),
}


class RoleList(ApiView):
    """The roles of a project."""

    asks = {"GET": PAGING}

    @schema.list_roles
    def get(self, request: Request, project: str) -> Response:
        """A page of roles with what they permit, built in and the project's own, by their keys."""
        roles = {one.key: one for one in overview.roles_of(project_of(request, project))}
        keys, following = page_of_keys(request, roles)
        return listing(request, "roles", [documents.role(roles[key]) for key in keys], following)

    @schema.create_role
    def post(self, request: Request, project: str) -> Response:
        """Create a role. A key's permits no more than whoever made the key may do."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = {"name": ""} | read_body(request.data, _NEW)
        made = services.create_role(project=own, **body, intent=Intent(holder_of(request).actor))
        where = reverse("api-role", args=[project, made.key])
        return Response(_document(own, made.key), status=201, headers={"Location": where})


class RoleDetail(ApiView):
    """One role."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_role
    def get(self, request: Request, project: str, role: str) -> Response:
        """A role with what it permits."""
        return Response(_document(project_of(request, project), role))

    @schema.edit_role
    def patch(self, request: Request, project: str, role: str) -> Response:
        """Rename one of the project's own roles, or change what it permits."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = _own_role(own, role)
        fields = {"name": found.name, "permissions": found.permissions}
        services.edit_role(
            role=found,
            **fields | read_body(request.data, _FIELDS),
            intent=Intent(holder_of(request).actor),
        )
        return Response(_document(own, role))

    @schema.delete_role
    def delete(self, request: Request, project: str, role: str) -> Response:
        """Remove one of the project's own roles, which nobody has any more."""
        found = _own_role(allowed(request, project, Permission.MEMBER_MANAGE), role)
        services.delete_role(role=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _own_role(project: Project, key: str) -> CustomRole:
    found = project.custom_roles.filter(key=key).first()
    if found is None:
        raise Http404
    return found


def _document(project: Project, key: str) -> dict[str, object]:
    for line in overview.roles_of(project):
        if line.key == key:
            return documents.role(line)
    raise Http404
