"""``…/import`` and ``…/export``: flags from files, and as files."""

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from flags.core.api.configurations import _TAG
from flags.delivery import progress
from flags.transfer import exports
from flags.transfer.importers import BUCKETINGS, FORMATS
from flags.transfer.importing import service
from flags.transfer.importing.service import MODES
from portal.access.api.scope import (
    environment_of,
    holder_of,
    project_of,
)
from portal.lib.api.endpoints import answer, switch
from portal.lib.api.shapes import SWITCH, TEXT, TEXTS, WHOLE, Shape
from portal.lib.api.views import (
    WAITS,
    ApiView,
    operation,
    query,
)
from portal.lib.errors import Invalid
from portal.lib.journal import Intent


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
            raise Invalid.of("format", _("Choose one of: {known}."), known=known)
        export = exports.export_environment(place, format_name=format_name)
        return Response(export.report if switch(request, "report") else export.document)


SKIPPED_FLAG = Shape("SkippedFlag", {"flag": TEXT(), "reason": TEXT()})


SKIPPED_DEPENDENCY = Shape("SkippedCohort", {"key": TEXT(), "reason": TEXT()})


DEPENDENCY_REPORT = Shape(
    "CohortReport",
    {
        "created": TEXTS(),
        "changed": TEXTS(),
        "unchanged": TEXTS(),
        "skipped": SKIPPED_DEPENDENCY.many(),
    },
)


IMPORT_REPORT = Shape(
    "ImportReport",
    {
        "created": TEXTS(),
        "changed": TEXTS(),
        "introduced": TEXTS(
            "Flags that were there and come to this environment by it.", optional=True
        ),
        "unchanged": TEXTS(),
        "disabled": TEXTS("Turned off: the file does not have them."),
        "skipped": SKIPPED_FLAG.many(),
        "segments": DEPENDENCY_REPORT.one("The project's segments that the file has."),
        "groups": DEPENDENCY_REPORT.one("Its exclusion groups."),
        "notes": TEXTS(),
        "dry_run": SWITCH(),
        "version": WHOLE("The environment's, afterwards."),
    },
)


class Import(ApiView):
    """Flags from a file."""

    max_body_bytes = 20 * 1024 * 1024

    @operation(
        "import_flags",
        _TAG,
        IMPORT_REPORT,
        WAITS,
        body=OpenApiTypes.OBJECT,
        parameters=[
            query(
                "format",
                "What the file is.",
                required=True,
                enum=[name for name, reader in FORMATS.items() if reader],
            ),
            query("mode", "What becomes of the flags that the file does not have.", enum=MODES),
            query("dry_run", "Report only, change nothing.", bool),
            query(
                "bucketing",
                "The generation of flagd whose users keep their variants.",
                enum=BUCKETINGS,
            ),
        ],
    )
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Import a file, all of it at once or nothing.

        Only this environment's configurations change; new flags are off in the others. Mode
        ``replace`` also turns off, in this environment, the flags that the file does not have.
        Segments and exclusion groups of the file are created or changed for all environments, and
        none is deleted. What cannot be taken over exactly is reported with the reason and left
        alone. When it answers, so do the evaluators.
        """
        place = environment_of(request, project, environment)
        report = service.import_document(
            environment=place,
            format_name=request.query_params.get("format", ""),
            document=request.data,
            mode=request.query_params.get("mode", "merge"),
            bucketing=request.query_params.get("bucketing"),
            dry_run=switch(request, "dry_run"),
            intent=Intent(holder_of(request).actor),
        )
        progress.wait_until_live([place], within_s=1 + report.changes / 1000)
        return answer(report.document)
