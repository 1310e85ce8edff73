"""``/api/v1/projects/{project}/environments/{environment}/policy``: who has to agree to changes.

A key that may configure the environment changes it as people do: what lowers it waits until those
have agreed whom the old one names, and no key votes.
"""

from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import overview, services as access
from portal.access.api.scope import allowed, environment_of, holder_of, project_of
from portal.access.models import Project
from portal.access.permissions import Permission
from portal.approvals import services
from portal.approvals.models import Policy
from portal.approvals.policies import services as policy_services
from portal.approvals.policies.rules import DAYS, MINUTES, MOST_APPROVALS, SCOPES
from portal.lib.api.endpoints import answer, find, listing, page_of_keys, seen_version
from portal.lib.api.problems import PreconditionRequired
from portal.lib.api.shapes import (
    MOMENT,
    OBJECT,
    SWITCH,
    TEXT,
    TEXTS,
    WHOLE,
    PageShape,
    Shape,
    read_object,
)
from portal.lib.api.views import CONFLICT, NO_MATCH, WAITS, ApiView, header, operation
from portal.lib.journal import Intent

_INDEPENDENCE = "For how long an account counts as one person with who gave it a vote."
NEW_POLICY = Shape(
    "NewPolicy",
    {
        "required_approvals": WHOLE(
            "How many people have to agree.", minimum=1, maximum=MOST_APPROVALS
        ),
        "required_roles": TEXTS(optional=True),
        "evidence": OBJECT(
            optional=True, additionalProperties={"type": "string", "enum": list(SCOPES)}
        ),
        "turning_off_needs_approval": SWITCH(optional=True),
        "break_glass": TEXTS(optional=True),
        "break_glass_minutes": WHOLE(optional=True, minimum=MINUTES[0], maximum=MINUTES[-1]),
        "independence_days": WHOLE(_INDEPENDENCE, optional=True, minimum=DAYS[0], maximum=DAYS[-1]),
    },
    "What an environment is to want; what is left out is as strict as where nothing is said.",
)
POLICY = Shape(
    "Policy",
    {
        "required_approvals": WHOLE("How many people have to agree."),
        "required_roles": TEXTS("What they must cover together."),
        "evidence": OBJECT(
            "Its kinds, each for `all` or for `artefacts`.",
            additionalProperties={"type": "string"},
        ),
        "turning_off_needs_approval": SWITCH(),
        "break_glass": TEXTS("Who may act first and be reviewed later."),
        "break_glass_minutes": WHOLE(),
        "independence_days": WHOLE(_INDEPENDENCE),
        "version": WHOLE("Also the ETag."),
        "updated_at": MOMENT(),
        "updated_by": TEXT(),
    },
    "What an environment wants before something changes in it.",
    stored="document",
)


class PolicyDetail(ApiView):
    @operation("read_policy", "approvals", POLICY)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """The policy; 404 where nobody has to agree to anything."""
        place = environment_of(request, project, environment)
        policy = find(Policy.objects.filter(environment=place))
        return answer(POLICY.dump(policy), version=policy.version)

    @operation(
        "set_policy",
        "approvals",
        POLICY,
        CONFLICT,
        NO_MATCH,
        body=NEW_POLICY,
        parameters=[
            header("If-Match", "The ETag that was read; none where there is no policy yet.")
        ],
    )
    def put(self, request: Request, project: str, environment: str) -> Response:
        """Give the environment this policy. One that lowers what there is has to be approved."""
        place = environment_of(request, project, environment, Permission.ENVIRONMENT_CONFIGURE)
        seen = seen_version(request)
        if seen is None and Policy.objects.filter(environment=place).exists():
            raise PreconditionRequired
        stored = policy_services.set_policy(
            environment=place,
            document=read_object(request.data),
            expected_version=seen or 0,
            intent=Intent(holder_of(request).actor),
        )
        if stored is None:
            raise Http404
        return answer(POLICY.dump(stored), version=stored.version)


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
        """Create a role. A key's permits no more than its maker may do."""
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
