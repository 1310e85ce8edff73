"""``/api/v1/projects/{project}``, and its ``/groups``: people who are given roles together."""

from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import services
from portal.access.api.scope import allowed, environment_of, holder_of, project_of
from portal.access.models import EnvironmentKind, Group, Project, User
from portal.access.permissions import Permission
from portal.lib.api.endpoints import answer, answer_page, find, refuse_unfindable
from portal.lib.api.shapes import MOMENT, TEXT, TEXTS, WHOLE, PageShape, Shape
from portal.lib.api.views import ApiView, operation
from portal.lib.errors import Invalid
from portal.lib.journal import Intent

# ``/api/v1/projects/…``: projects and their environments.

RENAMING = Shape("Renaming", {"name": TEXT(maxLength=100)}, "Another name. The key stays.")
PROJECT = Shape("Project", {"key": TEXT(), "name": TEXT(), "created_at": MOMENT()})
PROJECTS = PageShape("ProjectPage", "projects", PROJECT.many())
ENVIRONMENT = Shape(
    "Environment",
    {
        "key": TEXT(),
        "name": TEXT(),
        "kind": TEXT(enum=EnvironmentKind.values),
        "position": WHOLE("Where it stands among the others."),
        "version": WHOLE("Rises with every change that evaluators see."),
    },
)
NEW_ENVIRONMENT = Shape(
    "NewEnvironment", {"key": TEXT(maxLength=50), "kind": TEXT(enum=EnvironmentKind.values)}
)
ENVIRONMENTS = PageShape("EnvironmentPage", "environments", ENVIRONMENT.many())


class ProjectList(ApiView):
    @operation("list_projects", "projects", PROJECTS)
    def get(self, request: Request) -> Response:
        """The projects that the key reaches: its own."""
        own = project_of(request, holder_of(request).project.key)
        return answer_page(request, PROJECTS, Project.objects.filter(pk=own.pk), by="key")


class ProjectDetail(ApiView):
    @operation("read_project", "projects", PROJECT)
    def get(self, request: Request, project: str) -> Response:
        """What the project is called."""
        return answer(PROJECT.dump(project_of(request, project)))

    @operation("edit_project", "projects", PROJECT, body=RENAMING)
    def patch(self, request: Request, project: str) -> Response:
        """Give the project another name. Its key stays."""
        own = allowed(request, project, Permission.ENVIRONMENT_CONFIGURE)
        edited = services.edit_project(
            project=own, **RENAMING.read(request.data), intent=Intent(holder_of(request).actor)
        )
        return answer(PROJECT.dump(edited))


class EnvironmentList(ApiView):
    @operation("list_environments", "projects", ENVIRONMENTS)
    def get(self, request: Request, project: str) -> Response:
        """A page of environments, in order of their keys."""
        rows = project_of(request, project).environments.all()
        return answer_page(request, ENVIRONMENTS, rows, by="key")

    @operation("create_environment", "projects", ENVIRONMENT, status=201, body=NEW_ENVIRONMENT)
    def post(self, request: Request, project: str) -> Response:
        """Add an environment, in which every flag starts out off. This key does not reach it."""
        own = allowed(request, project, Permission.ENVIRONMENT_CONFIGURE)
        made = services.create_environment(
            project=own,
            **NEW_ENVIRONMENT.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        where = reverse("api-environment", args=[project, made.key])
        return answer(ENVIRONMENT.dump(made), at=where)


class EnvironmentDetail(ApiView):
    @operation("read_environment", "projects", ENVIRONMENT)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """An environment, and the version that its flags are at."""
        found = find(project_of(request, project).environments, key=environment)
        return answer(ENVIRONMENT.dump(found))

    @operation("edit_environment", "projects", ENVIRONMENT, body=RENAMING)
    def patch(self, request: Request, project: str, environment: str) -> Response:
        """Give the key's environment another name. Its key and kind stay."""
        edited = services.edit_environment(
            environment=environment_of(
                request, project, environment, Permission.ENVIRONMENT_CONFIGURE
            ),
            **RENAMING.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return answer(ENVIRONMENT.dump(edited))


def _names(group: Group) -> list[str]:
    return sorted(user.username for user in group.members.all())


GROUP = Shape("Group", {"key": TEXT(), "name": TEXT(), "members": TEXTS(of=_names)})
GROUPS = PageShape("GroupPage", "groups", GROUP.many())
NEW_GROUP = Shape(
    "NewGroup", {"key": TEXT(maxLength=50), "name": TEXT(optional=True, maxLength=100)}
)


class GroupList(ApiView):
    @operation("list_groups", "access", GROUPS)
    def get(self, request: Request, project: str) -> Response:
        """A page of groups with their members, in order of their keys."""
        rows = project_of(request, project).groups.prefetch_related("members")
        return answer_page(request, GROUPS, rows, by="key")

    @operation("create_group", "access", GROUP, status=201, body=NEW_GROUP)
    def post(self, request: Request, project: str) -> Response:
        """Create a group without members."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        body = {"name": ""} | NEW_GROUP.read(request.data)
        made = services.create_group(project=own, **body, intent=Intent(holder_of(request).actor))
        return answer(GROUP.dump(made), at=reverse("api-group", args=[project, made.key]))


class GroupDetail(ApiView):
    @operation("read_group", "access", GROUP)
    def get(self, request: Request, project: str, group: str) -> Response:
        """A group with its members."""
        return answer(GROUP.dump(find(project_of(request, project).groups, key=group)))

    @operation("edit_group", "access", GROUP, body=RENAMING)
    def patch(self, request: Request, project: str, group: str) -> Response:
        """Give a group another name. Its key stays."""
        own = allowed(request, project, Permission.MEMBER_MANAGE)
        edited = services.edit_group(
            group=find(own.groups, key=group),
            **RENAMING.read(request.data),
            intent=Intent(holder_of(request).actor),
        )
        return answer(GROUP.dump(edited))

    @operation("delete_group", "access")
    def delete(self, request: Request, project: str, group: str) -> Response:
        """Remove a group and what it was given."""
        found = find(allowed(request, project, Permission.MEMBER_MANAGE).groups, key=group)
        services.delete_group(group=found, intent=Intent(holder_of(request).actor))
        return Response(status=204)


class GroupMember(ApiView):
    @operation("add_to_group", "access", GROUP)
    def put(self, request: Request, project: str, group: str, username: str) -> Response:
        """Put somebody who has an account into a group; again changes nothing.

        A key gives no more with it than its maker may do, and never the right to approve.
        """
        found = find(allowed(request, project, Permission.MEMBER_MANAGE).groups, key=group)
        refuse_unfindable(username)
        user = User.objects.filter(username=username).first()
        if user is None:
            raise Invalid.of(
                "username",
                _("There is no user {name}; API keys cannot create accounts. Send an invitation."),
                name=username[:150],
            )
        services.add_to_group(group=found, user=user, intent=Intent(holder_of(request).actor))
        return answer(GROUP.dump(found))

    @operation("remove_from_group", "access")
    def delete(self, request: Request, project: str, group: str, username: str) -> Response:
        """Take somebody out of a group; again changes nothing."""
        found = find(allowed(request, project, Permission.MEMBER_MANAGE).groups, key=group)
        user = find(User.objects.all(), username=username)
        services.remove_from_group(group=found, user=user, intent=Intent(holder_of(request).actor))
        return Response(status=204)
