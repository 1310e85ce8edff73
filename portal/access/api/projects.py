"""``/api/v1/projects/…``: projects and their environments."""

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import services
from portal.access.api.authentication import holder_of
from portal.access.api.scope import allowed, environment_of, project_of
from portal.access.models import EnvironmentKind, Project
from portal.access.permissions import Permission
from portal.lib.api.answers import answer
from portal.lib.api.operations import operation
from portal.lib.api.pagination import answer_page
from portal.lib.api.query import find
from portal.lib.api.shapes import MOMENT, TEXT, WHOLE, Page, Shape
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent

RENAMING = Shape("Renaming", {"name": TEXT(maxLength=100)}, "Another name. The key stays.")
PROJECT = Shape("Project", {"key": TEXT(), "name": TEXT(), "created_at": MOMENT()})
PROJECTS = Page("ProjectPage", "projects", PROJECT.many())
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
ENVIRONMENTS = Page("EnvironmentPage", "environments", ENVIRONMENT.many())


class ProjectList(ApiView):
    """What the key is for."""

    @operation("list_projects", "projects", PROJECTS)
    def get(self, request: Request) -> Response:
        """The projects that the key reaches: its own."""
        own = project_of(request, holder_of(request).project.key)
        return answer_page(request, PROJECTS, Project.objects.filter(pk=own.pk), by="key")


class ProjectDetail(ApiView):
    """One project."""

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
    """The environments of a project."""

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
    """One environment."""

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
