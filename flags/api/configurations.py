"""``/api/v1/projects/{project}/environments/{environment}/…``: what flags do in one environment."""

from rest_framework.request import Request
from rest_framework.response import Response

from flags import services
from flags.api import schema
from flags.api.scope import configuration_of, etag, required_version
from flags.models import FlagConfiguration
from flags.services import importing
from portal.access.api import holder_of
from portal.access.api_scope import environment_of
from portal.lib import clock
from portal.lib.api_query import switch
from portal.lib.api_view import ApiView


class ConfigurationDetail(ApiView):
    """A flag's configuration in one environment."""

    @schema.read_configuration
    def get(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Whether the flag is on, and who gets what. The ETag is the version to give back."""
        return _answer(configuration_of(request, project, environment, key))

    @schema.save_configuration
    def put(self, request: Request, project: str, environment: str, key: str) -> Response:
        """Replace the configuration that you read: If-Match carries its ETag."""
        configuration = configuration_of(request, project, environment, key)
        saved = services.save_configuration(
            flag=configuration.flag,
            environment=configuration.environment,
            document=request.data,
            expected_version=required_version(request),
            actor=holder_of(request).actor,
            now=clock.now(),
        )
        return _answer(saved)


class Import(ApiView):
    """Flags from a file."""

    max_body_bytes = 20 * 1024 * 1024

    @schema.import_flags
    def post(self, request: Request, project: str, environment: str) -> Response:
        """Import a file, all of it at once or nothing.

        Only this environment's configurations change; new flags are off in the others. Mode
        ``replace`` also turns off, in this environment, the flags that the file does not have.
        Flags that cannot be taken over exactly are reported with the reason and left alone.
        """
        report = importing.import_document(
            environment=environment_of(request, project, environment),
            format_name=request.query_params.get("format", ""),
            document=request.data,
            mode=request.query_params.get("mode", "merge"),
            bucketing=request.query_params.get("bucketing"),
            dry_run=switch(request, "dry_run"),
            actor=holder_of(request).actor,
            now=clock.now(),
        )
        return Response(report.document)


def _answer(configuration: FlagConfiguration) -> Response:
    headers = {"ETag": etag(configuration.version)}
    return Response(configuration.document, headers=headers)
