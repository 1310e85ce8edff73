"""``/api/v1/projects/{project}/environments/{environment}/…``: what flags do in one environment."""

from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from flags import selectors, services
from flags.api.scope import configuration_of
from flags.api.shapes import CONFIGURATION, CONFIGURATION_PATCH, CONFIGURATIONS
from flags.importers import BUCKETINGS, FORMATS
from flags.models import FlagConfiguration
from flags.services import importing
from flags.services.importing import MODES
from flags.snapshots import delivery
from portal.access.api.scope import environment_of, holder_of
from portal.lib.api.endpoints import answer, answer_page, required_version, seen_version, switch
from portal.lib.api.parsers import merge_patch
from portal.lib.api.shapes import SWITCH, TEXT, TEXTS, WHOLE, Shape
from portal.lib.api.views import (
    CONFLICT,
    IF_MATCH,
    NO_MATCH,
    WAITS,
    ApiView,
    header,
    operation,
    query,
)
from portal.lib.journal import Intent

_TAG = "one environment"
SKIPPED_FLAG = Shape("SkippedFlag", {"flag": TEXT(), "reason": TEXT()})
SKIPPED_COHORT = Shape("SkippedCohort", {"key": TEXT(), "reason": TEXT()})
COHORT_REPORT = Shape(
    "CohortReport",
    {
        "created": TEXTS(),
        "changed": TEXTS(),
        "unchanged": TEXTS(),
        "skipped": SKIPPED_COHORT.many(),
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
        "segments": COHORT_REPORT.one("The project's segments that the file has."),
        "groups": COHORT_REPORT.one("Its exclusion groups."),
        "notes": TEXTS(),
        "dry_run": SWITCH(),
        "version": WHOLE("The environment's, afterwards."),
    },
)


class ConfigurationList(ApiView):
    """What all flags do in one environment."""

    @operation("list_configurations", _TAG, CONFIGURATIONS)
    def get(self, request: Request, project: str, environment: str) -> Response:
        """A page of the configurations of the flags in use, in order of the flags' keys."""
        rows = selectors.configurations_in(environment_of(request, project, environment))
        return answer_page(request, CONFIGURATIONS, rows, by="flag__key")


class ConfigurationDetail(ApiView):
    """A flag's configuration in one environment."""

    @operation("read_configuration", _TAG, CONFIGURATION)
    def get(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Whether the flag is on, and who gets what. The ETag is the version to give back."""
        return _answer(configuration_of(request, project, environment, key))

    @operation(
        "save_configuration",
        _TAG,
        CONFIGURATION,
        CONFLICT,
        NO_MATCH,
        body=CONFIGURATION,
        parameters=[IF_MATCH],
    )
    def put(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Replace the configuration that you read: If-Match carries its ETag."""
        configuration = configuration_of(request, project, environment, key)
        saved = services.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=request.data,
            expected_version=required_version(request),
            intent=Intent(holder_of(request).actor),
        )
        return _answer(saved)

    @operation(
        "edit_configuration",
        _TAG,
        CONFIGURATION,
        CONFLICT,
        NO_MATCH,
        body=CONFIGURATION_PATCH,
        parameters=[
            header("If-Match", 'The ETag that was read; `{"enabled": false}` alone needs none.')
        ],
    )
    def patch(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Change some of the configuration by a merge patch (RFC 7396).

        If-Match carries the ETag that you read. It is needed for all but turning off: that is
        `{"enabled": false}` and nothing else, and always safe.
        """
        configuration = configuration_of(request, project, environment, key)
        patch, actor = request.data, holder_of(request).actor
        if patch == {"enabled": False} and seen_version(request) is None:
            switched = services.set_enabled(
                flag=configuration.flag,
                environment=configuration.environment,
                enabled=False,
                intent=Intent(actor),
            )
            return _answer(switched.configuration)
        saved = services.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=merge_patch(configuration.document, patch),
            expected_version=required_version(request),
            intent=Intent(actor),
        )
        return _answer(saved)


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
        report = importing.import_document(
            environment=place,
            format_name=request.query_params.get("format", ""),
            document=request.data,
            mode=request.query_params.get("mode", "merge"),
            bucketing=request.query_params.get("bucketing"),
            dry_run=switch(request, "dry_run"),
            intent=Intent(holder_of(request).actor),
        )
        delivery.wait_until_live([place], within_s=1 + report.changes / 1000)
        return answer(report.document)


def _answer(configuration: FlagConfiguration) -> Response:
    return answer(configuration.document, version=configuration.version)
