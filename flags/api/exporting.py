"""``/api/v1/projects/{project}/export`` and the same of one environment: flags as a file."""

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from flags import exports
from portal.access.api.authentication import holder_of
from portal.access.api.scope import environment_of, project_of
from portal.lib.api.operations import operation, query
from portal.lib.api.query import switch
from portal.lib.api.views import ApiView
from portal.lib.errors import Invalid


class ProjectExport(ApiView):
    """All flags of a project, as far as the key reaches."""

    @operation("export_project", "flags", OpenApiTypes.OBJECT)
    def get(self, request: Request, project: str) -> Response:
        """Every flag in use, with its configuration in the key's own environment.

        Imported elsewhere the flags answer the same. Flags and fields come in one order, so that
        two exports can be compared. The export of all environments is in the portal.
        """
        place = project_of(request, project)
        own = [holder_of(request).environment.key]
        return Response(exports.export_project(place, environments=own).document)


class EnvironmentExport(ApiView):
    """All flags of an environment."""

    @operation(
        "export_environment",
        "one environment",
        OpenApiTypes.OBJECT,
        parameters=[
            query("format", "What the file shall be.", enum=exports.FORMATS, default="native"),
            query("report", "What is in the file and what not, instead of it.", bool),
        ],
    )
    def get(self, request: Request, project: str, environment: str) -> Response:
        """Every flag in use as it is in one environment, in a format of your choice.

        Flags that the format cannot hold exactly are left out: `report=1` answers which and why,
        instead of the file.
        """
        place = environment_of(request, project, environment)
        format_name = request.query_params.get("format", "native")
        if format_name not in exports.FORMATS:
            known = ", ".join(exports.FORMATS)
            raise Invalid({"format": _("Choose one of: {known}.").format(known=known)})
        export = exports.export_environment(place, format_name=format_name)
        return Response(export.report if switch(request, "report") else export.document)
