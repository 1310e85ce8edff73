"""``/api/v1/projects/{project}/roles``: the built-in ones, and those that a project makes."""

from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import overview
from portal.access import services as access
from portal.access.api.scope import allowed, holder_of, project_of
from portal.access.models import Project
from portal.access.permissions import Permission
from portal.approvals import services
from portal.lib.api.endpoints import answer, find, listing, page_of_keys
from portal.lib.api.shapes import SWITCH, TEXT, TEXTS, WHOLE, PageShape, Shape
from portal.lib.api.views import WAITS, ApiView, operation
from portal.lib.journal import Intent

ROLE = Shape(
    "Role",
    {
        "key": TEXT(),
        "name": TEXT(of="label"),
        "permissions": TEXTS(of=lambda line: sorted(map(str, line.permissions))),
        "custom": SWITCH("Whether the project made it.", of=lambda line: line.custom is not None),
        "given": WHOLE("How often it is given."),
    },
)
ROLES = PageShape("RolePage", "roles", ROLE.many())
ROLE_PATCH = Shape(
    "RolePatch",
    {"name": TEXT(optional=True, maxLength=100), "permissions": TEXTS(optional=True)},
)
NEW_ROLE = Shape(
    "NewRole",
    {
        "key": TEXT(maxLength=50),
        "name": TEXT(optional=True, maxLength=100),
        "permissions": TEXTS(),
    },
)


class RoleList(ApiView):
    @operation("list_roles", "access", ROLES)
    def get(self, request: Request, project: str) -> Response:
        """A page of roles with what they permit, built in and the project's own, by their keys."""
        roles = {one.key: one for one in overview.roles_of(project_of(request, project))}
        keys, following = page_of_keys(request, roles)
        return listing(request, ROLES, [roles[key] for key in keys], following)

    @operation("create_role", "access", ROLE, status=201, body=NEW_ROLE)
    def post(self, request: Request, project: str) -> Response:
        """Create a role. A key's permits no more than whoever made the key may do."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = {"name": ""} | NEW_ROLE.read(request.data)
        made = access.create_role(project=own, **body, intent=Intent(holder_of(request).actor))
        return _answer(own, made.key, at=reverse("api-role", args=[project, made.key]))


class RoleDetail(ApiView):
    @operation("read_role", "access", ROLE)
    def get(self, request: Request, project: str, role: str) -> Response:
        """A role with what it permits."""
        return _answer(project_of(request, project), role)

    @operation("edit_role", "access", ROLE, WAITS, body=ROLE_PATCH)
    def patch(self, request: Request, project: str, role: str) -> Response:
        """Rename one of the project's own roles, or change what it permits."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = find(own.custom_roles, key=role)
        fields = {"name": found.name, "permissions": found.permissions}
        services.edit_role(
            role=found,
            **fields | ROLE_PATCH.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return _answer(own, role)

    @operation("delete_role", "access")
    def delete(self, request: Request, project: str, role: str) -> Response:
        """Remove one of the project's own roles, which nobody has any more."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        found = find(own.custom_roles, key=role)
        access.delete_role(role=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


def _answer(project: Project, key: str, *, at: str = "") -> Response:
    for line in overview.roles_of(project):
        if line.key == key:
            return answer(ROLE.dump(line), at=at)
    raise Http404
