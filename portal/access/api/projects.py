"""``/api/v1/projects/…``: projects and their environments."""

from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import services
from portal.access.api import documents, schema
from portal.access.api.authentication import holder_of
from portal.access.api.scope import allowed, environment_of, project_of
from portal.access.models import Project
from portal.access.permissions import Permission
from portal.lib.api.pagination import PAGING, listing, page_of
from portal.lib.api.parsers import MergePatchParser, StrictJSONParser
from portal.lib.api.shapes import TEXT, Field, read_body
from portal.lib.api.views import ApiView
from portal.lib.intent import Intent

_NAME = {"name": Field(TEXT, required=True)}
_NEW = {"key": Field(TEXT, required=True), "kind": Field(TEXT, required=True)}


class ProjectList(ApiView):
    """What the key is for."""

    asks = {"GET": PAGING}

    @schema.list_projects
    def get(self, request: Request) -> Response:
        """The projects that the key reaches: its own."""
        own = project_of(request, holder_of(request).project.key)
        page, following = page_of(request, Project.objects.filter(pk=own.pk), by="key")
        return listing(request, "projects", [documents.project(one) for one in page], following)


class ProjectDetail(ApiView):
    """One project."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_project
    def get(self, request: Request, project: str) -> Response:
        """What the project is called."""
        return Response(documents.project(project_of(request, project)))

    @schema.edit_project
    def patch(self, request: Request, project: str) -> Response:
        """Give the project another name. Its key stays."""
        own = allowed(request, project, Permission.ENVIRONMENT_CONFIGURE)
        edited = services.edit_project(
            project=own, **read_body(request.data, _NAME), intent=Intent(holder_of(request).actor)
        )
        return Response(documents.project(edited))


class EnvironmentList(ApiView):
    """The environments of a project."""

    asks = {"GET": PAGING}

    @schema.list_environments
    def get(self, request: Request, project: str) -> Response:
        """A page of environments, in order of their keys."""
        rows = project_of(request, project).environments.all()
        page, following = page_of(request, rows, by="key")
        found = [documents.environment(one) for one in page]
        return listing(request, "environments", found, following)

    @schema.create_environment
    def post(self, request: Request, project: str) -> Response:
        """Add an environment, in which every flag starts out off. This key does not reach it."""
        own = allowed(request, project, Permission.ENVIRONMENT_CONFIGURE)
        made = services.create_environment(
            project=own, **read_body(request.data, _NEW), intent=Intent(holder_of(request).actor)
        )
        where = reverse("api-environment", args=[project, made.key])
        return Response(documents.environment(made), status=201, headers={"Location": where})


class EnvironmentDetail(ApiView):
    """One environment."""

    parser_classes = [StrictJSONParser, MergePatchParser]

    @schema.read_environment
    def get(self, request: Request, project: str, environment: str) -> Response:
        """An environment, and the version that its flags are at."""
        found = project_of(request, project).environments.filter(key=environment).first()
        if found is None:
            raise Http404
        return Response(documents.environment(found))

    @schema.edit_environment
    def patch(self, request: Request, project: str, environment: str) -> Response:
        """Give the key's environment another name. Its key and kind stay."""
        edited = services.edit_environment(
            environment=environment_of(
                request, project, environment, Permission.ENVIRONMENT_CONFIGURE
            ),
            **read_body(request.data, _NAME),
            intent=Intent(holder_of(request).actor),
        )
        return Response(documents.environment(edited))
